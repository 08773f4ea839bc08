/**
 * Compresses large batches on threads, so that the event loop goes on: a megabyte of JSON costs gzip and zstd 20 to 50 ms.
 * Threads start when there is work, at most `threadsMax` of them, and end with the client.
 */
import type { Codec } from '../src/records/codecs.ts'
import type { CompressionOutcome, CompressionTask } from './compression-thread.ts'
import type { Lifetime } from './lifetime.ts'
import type { Thread, Threads } from './threads.ts'

/** What takes the event loop more than 0.5 ms is worth the way to a thread and back, which takes it 0.1 ms. */
const worthwhileBytes: Readonly<Record<Codec, number>> = {
  none: Infinity,
  gzip: 32 * 1024,
  zstd: 48 * 1024,
  snappy: 256 * 1024,
  lz4: 384 * 1024,
}

interface Job {
  readonly task: CompressionTask
  readonly done: (bytes: Buffer | null) => void
}

interface Place {
  thread: Thread | null
  job: Job | null
}

export class Compressor {
  readonly #threadsMax: number
  readonly #door: Threads | undefined
  readonly #lifetime: Lifetime
  readonly #places = new Set<Place>()
  #waiting: Job[] = []
  /** Threads cannot be had here, or break. */
  #isBroken = false

  constructor(threadsMax: number, door: Threads | undefined, lifetime: Lifetime) {
    this.#threadsMax = threadsMax
    this.#door = door
    this.#lifetime = lifetime
  }

  /** Threads that run at present. */
  get threads(): number {
    return this.#places.size
  }

  /** Is it worth a thread? */
  takes(codec: Codec, sizeBytes: number): boolean {
    if (sizeBytes < worthwhileBytes[codec] || this.#lifetime.isOver) return false
    return this.#threadsMax > 0 && this.#door !== undefined && !this.#isBroken
  }

  /** `bytes` as the codec makes them; null when no thread can do it. Copies `bytes` before it returns. Never rejects. */
  compress(codec: Codec, level: number | undefined, bytes: Buffer): Promise<Buffer | null> {
    return new Promise((resolve) => {
      this.#waiting.push({ task: { codec, level, bytes: new Uint8Array(bytes) }, done: resolve })
      this.#next()
    })
  }

  #next(): void {
    if (this.#waiting.length === 0) return
    const place = [...this.#places].find(({ job }) => job === null) ?? this.#start()
    if (this.#isBroken || this.#lifetime.isOver) {
      const given = this.#waiting
      this.#waiting = []
      for (const { done } of given) done(null)
      return
    }
    const job = place === null ? undefined : this.#waiting.shift()
    if (place === null || job === undefined) return
    place.job = job
    place.thread?.run(job.task)
  }

  #start(): Place | null {
    if (this.#places.size >= this.#threadsMax || this.#isBroken || this.#lifetime.isOver) return null
    const place: Place = { thread: null, job: null }
    const thread = this.#door?.start({
      done: (outcome) => this.#done(place, outcome),
      ended: () => {
        forget()
        this.#isBroken = true
        this.#places.delete(place)
        this.#done(place, { bytes: null })
      },
    })
    if (thread === undefined || thread === null) {
      this.#isBroken = true
      return null
    }
    place.thread = thread
    this.#places.add(place)
    const forget = this.#lifetime.onEnd(() => thread.end())
    return place
  }

  #done(place: Place, { bytes }: CompressionOutcome): void {
    const { job } = place
    place.job = null
    job?.done(bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    this.#next()
  }
}
