/**
 * One connection between two brokers, either end: frames in, frames out, both bounded.
 *
 *     socket -> cutter -> onFrame            send -> queue -> socket
 *
 * The socket gets a piece when it has taken the one before: what is urgent waits for one frame and not for the queue, and a slow
 * network is seen to move. Bytes that make no sense end the connection, with a reason.
 */
import { type BufferPool, noBuffers, releaseAll } from '../base/buffer-pool.ts'
import { Faulted } from '../base/errors.ts'
import { Loans } from '../base/loans.ts'
import type { Clock, Connection } from '../io/world.ts'
import { type CutFrame, type Frame, FrameCutter } from './frames.ts'

/** Before the other side has shown who it is. */
export const strangerFrameBytesMax = 4096
/** Large enough for full speed, small enough that 90 KB/s are seen as progress within the idle time-out. */
const pieceBytes = 256 * 1024
/** Many small buffers cost more as a list (a call each, a vector for the kernel) than copied into one. */
const joinedBytesMax = 16 * 1024
/** In place of what was sent, so that it can go. */
const sent: Frame = { pieces: [], bytes: 0, payload: [] }

export interface ChannelOptions {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Beyond, `hasRoom` is false. */
  readonly queueBytesMax: number
  /** For frames that arrive. Absent: each gets new memory. */
  readonly buffers?: BufferPool
  /** What it throws as Faulted ends the connection. */
  readonly onFrame: (frame: CutFrame) => void
  /** Called once. `fault` when bytes or the other side were wrong; a sentence for what happened in any case. */
  readonly onGone: (reason: string, fault: Faulted | null) => void
  /** The queue is empty again after there was no room. */
  readonly onRoom?: () => void
}

export class Channel {
  readonly remote: string
  readonly #connection: Connection
  readonly #options: ChannelOptions
  readonly #cutter: FrameCutter
  readonly #queue: Frame[] = []
  /** Index of the first that waits: a queue of thousands is not shifted. */
  #head = 0
  /** What is left of the frame that is being sent. */
  #rest: Buffer[] = []
  readonly #loans = new Loans()
  /** So many bytes the socket has been given. */
  #given = 0
  /** Not given to the socket yet. */
  #queuedBytes = 0
  #isFull = false
  #hadNoRoom = false
  #state: 'open' | 'ending' | 'gone' = 'open'
  #reason: { sentence: string; fault: Faulted | null } | null = null
  /** When anything last arrived, and when the socket last took all that it had. */
  heardMs: number
  drainedMs: number

  constructor(connection: Connection, options: ChannelOptions) {
    this.remote = connection.remote
    this.#connection = connection
    this.#options = options
    this.#cutter = new FrameCutter(strangerFrameBytesMax, options.buffers ?? noBuffers)
    this.heardMs = this.drainedMs = options.clock.monotonic()
    connection.onData = (chunk) => this.#received(chunk)
    connection.readInto = () => this.#cutter.room
    connection.onDrain = () => this.#drained()
    connection.onClose = (fault) => this.#closed(fault)
  }

  /** The other side has shown who it is. */
  trust(frameBytesMax: number): void {
    this.#cutter.frameBytesMax = frameBytesMax
  }

  /** Bytes that wait for the other side. */
  get waitingBytes(): number {
    return this.#queuedBytes + (this.#isFull ? this.#connection.pendingBytes : 0)
  }

  get hasRoom(): boolean {
    const hasRoom = this.waitingBytes < this.#options.queueBytesMax
    if (!hasRoom) this.#hadNoRoom = true
    return hasRoom
  }

  /** Takes the frame whether there is room or not. */
  send(frame: Frame): void {
    if (this.#state !== 'open') return
    this.#queue.push(frame)
    this.#queuedBytes += frame.bytes
    this.#pump()
  }

  /** Before all that waits. */
  sendFirst(frame: Frame): void {
    if (this.#state !== 'open') return
    if (this.#head > 0) this.#queue[--this.#head] = frame
    else this.#queue.unshift(frame)
    this.#queuedBytes += frame.bytes
    this.#pump()
  }

  /** Sends a last word, then ends. Whoever calls it destroys the connection when the other side does not follow. */
  end(sentence: string, fault: Faulted | null, last: Frame | null): void {
    if (this.#state !== 'open') return
    this.#reason ??= { sentence, fault }
    if (last !== null) this.#connection.write(last.pieces)
    this.#state = 'ending'
    this.#connection.end()
  }

  /** Drops everything at once; `onGone` follows. */
  destroy(sentence: string, fault: Faulted | null = null): void {
    if (this.#state === 'gone') return
    this.#reason ??= { sentence, fault }
    this.#state = 'ending'
    this.#connection.destroy()
  }

  #received(chunk: Buffer): void {
    this.heardMs = this.#options.clock.monotonic()
    if (this.#state !== 'open') return
    this.#cutter.push(chunk)
    try {
      while (this.#state === 'open') {
        const frame = this.#cutter.next()
        if (frame === null) break
        this.#options.onFrame(frame)
      }
      this.#cutter.keep()
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      this.destroy(error.operation, error)
    }
  }

  #pump(): void {
    while (!this.#isFull && (this.#rest.length > 0 || this.#maybeBegin())) {
      const piece = this.#takePiece()
      for (const { length } of piece) {
        this.#queuedBytes -= length
        this.#given += length
      }
      this.#isFull = !this.#connection.write(piece)
    }
    this.#settleLoans()
  }

  #settleLoans(): void {
    if (this.#connection.pendingBytes === 0) this.#loans.settle(this.#given)
  }

  /** Whether there was another frame. */
  #maybeBegin(): boolean {
    const next = this.#queue[this.#head]
    if (next === undefined) {
      this.#queue.length = this.#head = 0
      return false
    }
    this.#queue[this.#head++] = sent
    if (next.pieces.length > 1 && next.bytes <= joinedBytesMax) {
      this.#rest = [Buffer.concat(next.pieces)]
      releaseAll(next.payload)
    } else {
      this.#rest = [...next.pieces]
      this.#loans.add(next.payload, this.#given + next.bytes)
    }
    return true
  }

  #takePiece(): Buffer[] {
    let bytes = 0
    for (const [index, buffer] of this.#rest.entries()) {
      const room = pieceBytes - bytes
      if (buffer.length > room) {
        const piece = [...this.#rest.slice(0, index), buffer.subarray(0, room)]
        this.#rest = [buffer.subarray(room), ...this.#rest.slice(index + 1)]
        return piece
      }
      bytes += buffer.length
    }
    const piece = this.#rest
    this.#rest = []
    return piece
  }

  #drained(): void {
    this.drainedMs = this.#options.clock.monotonic()
    this.#isFull = false
    this.#settleLoans()
    this.#pump()
    if (this.#hadNoRoom && this.#queuedBytes === 0 && this.#state === 'open') {
      this.#hadNoRoom = false
      this.#options.onRoom?.()
    }
  }

  #closed(fault: Faulted | null): void {
    this.#state = 'gone'
    this.#queue.length = this.#head = this.#queuedBytes = 0
    this.#rest = []
    this.#loans.forget()
    const cause = fault?.cause
    const sentence = cause instanceof Error ? cause.message : 'the other side closed it'
    const reason = this.#reason ?? { sentence, fault: null }
    this.#options.onGone(reason.sentence, reason.fault)
  }
}
