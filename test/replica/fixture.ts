/** Brokers' replica hosts on simulated disks and one virtual clock, linked by an outbox in memory that can be cut. */
import type { Refused } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { type DiskFault, type DiskOperation, SimDisk } from '../../src/embedded/sim-disk.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Clock, Timer } from '../../src/io/world.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import type { Log, LogSettings } from '../../src/log/log.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import { WritePace } from '../../src/log/write-pace.ts'
import { BatchBuilder, readRecords } from '../../src/records/records.ts'
import { batchPositions } from '../../src/records/scan.ts'
import type { Member } from '../../src/replica/member.ts'
import type { PeerMessage } from '../../src/replica/outbox.ts'
import type { Pulse } from '../../src/replica/pulses.ts'
import type { Replica, ReplicaSettings } from '../../src/replica/replica.ts'
import type { ReplicaEvent } from '../../src/replica/replica-event.ts'
import { type HostSettings, ReplicaHost } from '../../src/replica/replica-host.ts'

export const logSettings: LogSettings = {
  segmentBytesMax: 2000,
  segmentMs: Number.POSITIVE_INFINITY,
  indexIntervalBytes: 150,
  indexBytesMax: 1 << 20,
  expandedBytesMax: 1 << 20,
  producerExpirationMs: 86_400_000,
  producersMax: 1000,
}

export const synced: ReplicaSettings = { flushMessages: 1, flushMs: Infinity, uncommittedBytesMax: 1 << 20 }

const hostSettings: HostSettings = {
  tickMs: 10,
  electionTimeoutMs: 200,
  heartbeatMs: 30,
  syncsInFlightMax: 4,
}

/** One broker, as far as it concerns replicas. */
export class Broker {
  readonly id: number
  readonly clock: VirtualClock
  /** A process whose event loop can stand still. */
  readonly process: Stalling
  readonly disk: SimDisk
  readonly events: ReplicaEvent[] = []
  readonly #random: SeededRandom
  readonly #send: (from: number, to: number, messages: readonly PeerMessage[]) => void
  readonly #pulse: (from: number, to: number, pulse: Pulse) => void
  /** What happens instead of a disk operation. */
  fault: (operation: DiskOperation) => DiskFault | undefined = () => undefined
  /** Resolves when the device is done. */
  device: (operation: DiskOperation) => Promise<void> = () => Promise.resolve()
  /** Writes of so many bytes leave the event loop. */
  leaveBytesMin = Infinity
  /** Data files (not ballots, not barriers) that were synced. */
  syncs = 0
  host: ReplicaHost
  #files: FilePool
  #life = 0
  /** Minted with the disk. */
  diskId: string

  constructor(
    options: {
      id?: number
      clock?: VirtualClock
      settings?: Partial<HostSettings>
      send?: (from: number, to: number, messages: readonly PeerMessage[]) => void
      pulse?: (from: number, to: number, pulse: Pulse) => void
    } = {},
  ) {
    this.id = options.id ?? 1
    this.clock = options.clock ?? new VirtualClock()
    this.diskId = `${this.id}1111111-2222-4333-8444-555555555555`
    this.process = new Stalling(this.clock)
    this.#settings = { ...hostSettings, ...options.settings }
    this.#send = options.send ?? (() => {})
    this.#pulse = options.pulse ?? (() => {})
    this.#random = new SeededRandom(this.id)
    this.disk = new SimDisk({
      clock: this.clock,
      canLosePower: true,
      onOperation: (operation) => {
        if (operation.kind === 'sync' && operation.path.endsWith('.log')) this.syncs++
        return this.fault(operation)
      },
      device: (operation) => this.device(operation),
    })
    const mount = this.disk.mount()
    mount.mkdir('/data')
    this.disk.settleAll()
    ;({ host: this.host, files: this.#files } = this.#boot())
  }

  readonly #settings: HostSettings

  #boot() {
    const disk = this.disk.mount()
    const life = ++this.#life
    const host = new ReplicaHost({
      world: { clock: this.process, disk, random: this.#random },
      nodeId: this.id,
      diskId: this.diskId,
      // The dead send nothing.
      outbox: {
        send: (to, messages) => this.#life === life && this.#send(this.id, to, messages),
        pulse: (to, pulse) => this.#life === life && this.#pulse(this.id, to, pulse),
      },
      settings: this.#settings,
      onEvent: (event) => this.events.push(event),
    })
    return { host, files: new FilePool({ disk, openMax: 64 }) }
  }

  async openLog(name: string): Promise<Log> {
    const disk = this.disk.mount()
    const world = { disk, clock: this.clock }
    const pace = new WritePace({
      ...world,
      bytesMin: this.leaveBytesMin,
      slowMs: Infinity,
      shadowMs: 0,
      shadowMaxMs: 0,
    })
    const files = this.#files
    return await openLog({ world, folder: `/data/${name}`, settings: logSettings, files, pace })
  }

  async open(
    name = 't-0',
    voters: readonly number[] = [this.id],
    settings: Partial<ReplicaSettings> = {},
    disks: ReadonlyMap<number, string> = new Map(),
    hasMachine = false,
  ): Promise<Member> {
    const log = await this.openLog(name)
    const own = { ...synced, ...settings }
    return await this.host.open({
      name,
      folder: `/data/${name}`,
      log,
      voters,
      disks,
      hasMachine,
      settings: own,
    })
  }

  /** The process ends without a word, and starts again; what it wrote is there. */
  kill(): void {
    this.disk.kill()
    ;({ host: this.host, files: this.#files } = this.#boot())
  }

  /** The disk is another one, empty. */
  wipe(name = 't-0'): void {
    this.kill()
    const mount = this.disk.mount()
    for (const file of mount.list(`/data/${name}`)) mount.remove(`/data/${name}/${file}`)
    this.diskId = `${this.id}9999999-2222-4333-8444-555555555555`
    this.kill()
  }

  /** As `kill`, and what was not synced may be gone. */
  losePower(seed = 1): void {
    this.disk.losePower(new SeededRandom(seed))
    ;({ host: this.host, files: this.#files } = this.#boot())
  }
}

/**
 * The clock of a process whose event loop can stand still: timers that fall due meanwhile fire late, all at once, before anything
 * else is heard, as Node does it.
 */
export class Stalling implements Clock {
  readonly #clock: VirtualClock
  #isStalled = false
  #late: (() => void)[] = []

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  get isStalled(): boolean {
    return this.#isStalled
  }
  now = (): number => this.#clock.now()
  monotonic = (): number => this.#clock.monotonic()
  soon = (callback: () => void): void => this.#clock.soon(callback)

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, () => {
      if (this.#isStalled) this.#late.push(callback)
      else callback()
    })
  }

  stall(): void {
    this.#isStalled = true
  }

  goOn(): void {
    this.#isStalled = false
    for (const callback of this.#late.splice(0)) callback()
  }
}

/** A batch of records with these values. */
export function batchOf(...values: string[]): Buffer {
  const builder = new BatchBuilder({ codec: 'none' })
  for (const value of values) builder.append({ key: null, value: Buffer.from(value), timestamp: 1000 })
  return builder.build()
}

export async function valuesOf(replica: Replica, boundOffset = replica.highWatermark): Promise<string[]> {
  const values: string[] = []
  for (let offset = replica.log.start; offset < boundOffset; ) {
    const read = await replica.log.read(offset, { boundOffset, maxBytes: 1 << 20, minOne: true })
    for (const run of read.batches) {
      for (const at of batchPositions(run)) {
        const records = readRecords(run, at, { maxExpandedBytes: 1 << 20 })
        values.push(...records.map(({ value }) => String(value)))
      }
    }
    offset = read.nextOffset
  }
  return values
}

/** What became of a proposal. */
export type Fate = 'pending' | 'committed' | string

/** Proposes; `fates` tells, in the order of the answers. */
export function propose(replica: Replica, fates: Fate[], ...values: string[]): number {
  const { endOffset, epoch } = replica.propose(batchOf(...values))
  replica.onCommitted(endOffset, epoch, (refused: Refused | null) => {
    fates.push(refused === null ? `${values[0]} committed` : `${values[0]} ${refused.code}`)
  })
  return endOffset
}
