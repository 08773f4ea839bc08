/** Logs on a simulated disk, and batches to put into them. */
import type { BufferPool } from '../../src/base/buffer-pool.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk, type SimDiskOptions } from '../../src/embedded/sim-disk.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Disk } from '../../src/io/world.ts'
import type { LogEvent } from '../../src/log/events.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import type { Log, LogSettings, Mark } from '../../src/log/log.ts'
import { type LogMemory, openLog } from '../../src/log/segmented-log.ts'
import { WritePace } from '../../src/log/write-pace.ts'
import * as batch from '../../src/records/batch.ts'
import { BatchBuilder, type BatchOptions, readRecords } from '../../src/records/records.ts'

export const folder = '/data/topic-0'

/** Small enough that everything happens soon. */
export const smallSettings: LogSettings = {
  segmentBytesMax: 1500,
  segmentMs: Number.POSITIVE_INFINITY,
  indexIntervalBytes: 150,
  indexBytesMax: 1 << 20,
  expandedBytesMax: 1 << 20,
  producerExpirationMs: 86_400_000,
  producersMax: 1000,
}

export class Bench {
  readonly clock = new VirtualClock()
  /** The hardware, and what the process has of it. */
  readonly disk: SimDisk
  mount: Disk
  readonly random: SeededRandom
  readonly events: LogEvent[] = []
  files: FilePool
  readonly #openMax: number
  /** Small, so that reads leave the event loop, too. */
  readonly warmBytes: number
  settings: LogSettings
  memory: LogMemory | undefined
  buffers: BufferPool | undefined
  readonly pace: WritePace

  constructor(
    options: SimDiskOptions & {
      seed?: number
      settings?: Partial<LogSettings>
      openMax?: number
      warmBytes?: number
      /** Writes of so many bytes leave the event loop. */
      leaveBytesMin?: number
    } = {},
  ) {
    this.disk = new SimDisk({ clock: this.clock, canLosePower: true, ...options })
    this.mount = this.disk.mount()
    this.mount.mkdir('/data')
    this.disk.settleAll()
    this.random = new SeededRandom(options.seed ?? 1)
    this.settings = { ...smallSettings, ...options.settings }
    this.#openMax = options.openMax ?? 32
    this.warmBytes = options.warmBytes ?? 2000
    const bytesMin = options.leaveBytesMin ?? Infinity
    this.pace = new WritePace({ clock: this.clock, bytesMin, slowMs: Infinity, shadowMs: 0, shadowMaxMs: 0 })
    this.files = new FilePool({ disk: this.mount, openMax: this.#openMax })
  }

  open(): Promise<Log> {
    return openOn(this.mount, this)
  }

  /** The process ends; what it wrote stays. */
  kill(): void {
    this.disk.kill()
    this.#restart()
  }

  losePower(): void {
    this.disk.losePower(this.random)
    this.#restart()
  }

  #restart(): void {
    this.mount = this.disk.mount()
    this.files = new FilePool({ disk: this.mount, openMax: this.#openMax })
  }

  /** Bytes of all files, to see that nothing was touched. */
  contents(): Record<string, string> {
    const contents: Record<string, string> = {}
    for (const name of this.mount.list(folder))
      contents[name] = this.disk.bytesOf(`${folder}/${name}`).toString('hex')
    return contents
  }
}

export function openOn(
  disk: Disk,
  bench: Pick<Bench, 'clock' | 'settings' | 'files' | 'events' | 'warmBytes'> &
    Partial<Pick<Bench, 'memory' | 'buffers' | 'pace'>>,
  path = folder,
): Promise<Log> {
  return openLog({
    world: { disk, clock: bench.clock, ...(bench.buffers !== undefined && { buffers: bench.buffers }) },
    folder: path,
    settings: bench.settings,
    files: bench.files,
    onEvent: (event) => bench.events.push(event),
    warmBytes: bench.warmBytes,
    ...(bench.memory !== undefined && { memory: bench.memory }),
    ...(bench.pace !== undefined && { pace: bench.pace }),
  })
}

export interface BatchShape extends Partial<BatchOptions> {
  count?: number
  timestamp?: number
  /** Bytes of each value. */
  size?: number
}

/**
 * A batch with its place stamped. Values are 'v<offset>' and padding; the timestamp of the first record, then
 * one more each.
 */
export function batchAt(offset: number, epoch: number, shape: BatchShape = {}): Buffer {
  const { count = 1, timestamp = 1000 + offset, size = 10, ...options } = shape
  const builder = new BatchBuilder({ codec: 'none', ...options })
  for (let i = 0; i < count; i++) {
    const value = Buffer.from(`v${offset + i}`.padEnd(size, '.'))
    builder.append({ key: null, value, timestamp: timestamp + i })
  }
  const bytes = builder.build()
  batch.stamp(bytes, 0, { baseOffset: offset, leaderEpoch: epoch })
  return bytes
}

/** Appends a batch at the end of the log. */
export function append(log: Log, shape: BatchShape = {}): Buffer {
  const bytes = batchAt(log.end, log.lastEpoch, shape)
  log.append(bytes)
  return bytes
}

export function startEpoch(log: Log, epoch = log.lastEpoch + 1): number {
  return log.appendMark({ kind: 'epochStart', leaderId: 1 }, epoch)
}

/** Voters, some of them on disks that are known, after others. */
export function votersMark(voters: readonly number[]): Mark {
  const disk = '0b5c7f4e-8d1a-4f57-9a53-3f1f6f2f9c01'
  return { kind: 'voters', voters, outgoing: [1], disks: [...voters.map((id) => (id === 1 ? disk : '')), ''] }
}

export async function flush(log: Log): Promise<number> {
  log.write()
  return await log.sync()
}

export interface ReadBack {
  readonly offset: number
  readonly value: string
  readonly timestamp: number
  readonly epoch: number
}

/** All records of a log from `offset` on, in reads of `maxBytes`. */
export async function readAll(log: Log, offset = log.start, maxBytes = 700): Promise<ReadBack[]> {
  const records: ReadBack[] = []
  for (let next = offset; next < log.end; ) {
    const read = await log.read(next, { boundOffset: log.end, maxBytes, minOne: true })
    if (read.bytes === 0) break
    for (const bytes of read.batches)
      records.push(...recordsOf(bytes).filter((record) => record.offset >= next))
    next = read.nextOffset
  }
  return records
}

export function recordsOf(bytes: Buffer): ReadBack[] {
  const records: ReadBack[] = []
  for (let at = 0; at < bytes.length; at += batch.batchSize(bytes, at)) {
    const epoch = batch.leaderEpoch(bytes, at)
    for (const { offset, timestamp, value } of readRecords(bytes, at, { maxExpandedBytes: 1 << 20 })) {
      records.push({ offset, timestamp, epoch, value: value?.toString().replace(/\.*$/, '') ?? '' })
    }
  }
  return records
}

export function segmentPath(baseOffset: number, suffix = '.log'): string {
  return `${folder}/${String(baseOffset).padStart(20, '0')}${suffix}`
}
