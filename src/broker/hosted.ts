/**
 * The partitions that live on this node: opens a log and its quorum member for each, closes and removes them, follows their
 * settings. What should be here comes from the cluster's image; this file makes it so.
 */
import { assert } from '../base/assert.ts'
import { Faulted, Refused } from '../base/errors.ts'
import type { Settings } from '../config/settings.ts'
import { type TopicSettings, topicSettings } from '../config/topic-settings.ts'
import type { World } from '../io/world.ts'
import type { FilePool } from '../log/file-pool.ts'
import { type LogMemory, openLog } from '../log/segmented-log.ts'
import type { WritePace } from '../log/write-pace.ts'
import { type ClusterState, type Topic, votersAtOpen } from '../machines/cluster/state.ts'
import type { Replica } from '../replica/replica.ts'
import type { ReplicaHost } from '../replica/replica-host.ts'
import type { BrokerEvent } from './broker.ts'
import type { DataFolder } from './data-folder.ts'
import type { DiskSpace } from './disk-space.ts'
import { isInternalTopic } from './internal-topics.ts'
import { Partition } from './partition.ts'
import { logSettings, replicaSettings, writePace } from './partition-settings.ts'
import { PartitionTable } from './partition-table.ts'

export interface HostedOptions {
  readonly nodeId: number
  readonly world: World
  readonly folder: DataFolder
  readonly files: FilePool
  readonly host: ReplicaHost
  readonly settings: Settings
  readonly image: Readonly<ClusterState>
  readonly space: Pick<DiskSpace, 'refusal' | 'take'>
  /** For the tails of all logs. */
  readonly logMemory: LogMemory
  readonly onEvent: (event: BrokerEvent) => void
}

/** With whom a quorum began; see replica-host.ts. */
export interface Founders {
  readonly voters: readonly number[]
  readonly disks: ReadonlyMap<number, string>
}

/** Whether the replica will be repaired. */
export type OnDamaged = (topic: Topic, index: number, fault: Faulted) => boolean

/** Another release took a value that this one does not: that topic alone is offline then. Nothing is damaged. */
class UnknownSettings extends Faulted {}

/** Opening or closing one partition is a few file operations and one or two syncs; more at once than this gains nothing. */
const inFlightMax = 16

export class HostedPartitions {
  readonly #options: HostedOptions
  readonly #pace: WritePace
  readonly #serving = new PartitionTable<Partition>()
  /** Every opening under way or done, so that nobody opens a partition twice. null: it is offline. */
  readonly #openings = new Map<string, Promise<Partition | null>>()
  /** Why a partition that should be here serves nobody: its disk failed, or its log is damaged. */
  readonly #faults = new Map<string, Faulted>()
  #listener: (partition: Partition) => void = () => {}
  #onDamaged: OnDamaged = () => false
  #openingsInFlight = 0
  readonly #waiting: (() => void)[] = []
  #isClosed = false

  constructor(options: HostedOptions) {
    this.#options = options
    this.#pace = writePace(options.settings, options.world.clock)
  }

  /** `listener` hears of every partition here whenever something about its replica has changed. */
  onAdvance(listener: (partition: Partition) => void): void {
    this.#listener = listener
  }

  /** `listener` hears of every replica here whose log is damaged, and answers whether it will be repaired. */
  onDamaged(listener: OnDamaged): void {
    this.#onDamaged = listener
  }

  /** Also one that the disk has failed since it was opened: it says so itself. */
  get(topicId: string, index: number): Partition | undefined {
    return this.#serving.get(topicId, index)
  }

  all(): Iterable<Partition> {
    return this.#serving.values()
  }

  /** Set while a partition is offline here, whether it could not be opened or failed later. */
  fault(topicId: string, index: number): Faulted | undefined {
    return this.#faults.get(keyOf(topicId, index))
  }

  /**
   * Opens every partition of a topic that is placed here, and lets go of those that are not any more, with their files; resolves
   * with those that are open. Harmless when nothing has changed. One that cannot be opened stays offline and is reported; the
   * others do not suffer.
   */
  async open(topic: Topic): Promise<Partition[]> {
    const indexes = [...topic.placements.keys()]
    const here = indexes.filter((index) => topic.placements[index]?.includes(this.#options.nodeId))
    const gone = indexes.filter(
      (index) => !here.includes(index) && this.#openings.has(keyOf(topic.id, index)),
    )
    if (gone.length > 0) await this.#remove(topic, gone)
    const opened = await Promise.all(here.map((index) => this.#openOnce(topic, index)))
    return opened.flatMap((partition) => partition ?? [])
  }

  #openOnce(topic: Topic, index: number): Promise<Partition | null> {
    const key = keyOf(topic.id, index)
    let opening = this.#openings.get(key)
    if (opening === undefined) {
      opening = this.#open(topic, index).catch((error: unknown) => {
        this.#offline(topic, index, error)
        return null
      })
      this.#openings.set(key, opening)
    }
    return opening
  }

  /** @throws Faulted when it cannot */
  async #open(topic: Topic, index: number): Promise<Partition | null> {
    await this.#turn()
    try {
      if (this.#isClosed) return null
      const { folder, settings, space, onEvent } = this.#options
      const effective = settingsOf(settings, topic)
      assert(topic.placements[index] !== undefined, 'a partition that is opened has a placement')
      const key = keyOf(topic.id, index)
      if (folder.forgotten.of(key) === 'damaged')
        throw new Faulted('bytes', `open ${topic.name}-${index}: it was damaged`)
      const founders = this.#founders(topic, index)
      const hasMachine = isInternalTopic(topic.name)
      const place = folder.partitionFolder(key)
      const replica = await this.openReplica(key, place, founders, effective, hasMachine)
      const onDamaged = (fault: Faulted) => {
        if (this.#onDamaged(topic, index, fault)) this.#faults.set(key, fault)
      }
      const partition = new Partition({
        topic,
        index,
        replica,
        settings: effective,
        space,
        onEvent,
        onDamaged,
      })
      try {
        // With other voters it may take an election, and those others.
        if (this.#isSoleVoter(replica)) await replica.whenReady()
      } catch (error) {
        partition.close()
        await this.closeReplica(partition.name, replica)
        throw replica.fault ?? error
      }
      // The topic's settings may have changed meanwhile, and the change passed over a partition that was not there yet.
      this.#configure(partition)
      this.#serving.set(topic.id, index, partition)
      replica.onAdvance(() => {
        if (replica.fault !== null) this.#offline(topic, index, replica.fault)
        this.#listener(partition)
      })
      this.#listener(partition)
      return partition
    } finally {
      this.#openingsInFlight--
      this.#waiting.shift()?.()
    }
  }

  #founders(topic: Topic, index: number): Founders {
    const { nodeId, image, folder } = this.#options
    const isNew = folder.forgotten.of(keyOf(topic.id, index)) !== null
    const voters = isNew ? [] : votersAtOpen(topic, index, nodeId)
    const disks = voters.map((id): [number, string] => [id, image.brokers.get(id)?.diskId ?? ''])
    return { voters, disks: new Map(disks.filter(([, disk]) => disk !== '')) }
  }

  #isSoleVoter({ voters }: Replica): boolean {
    return voters.length === 1 && voters[0] === this.#options.nodeId
  }

  /** Reported once. @throws `error` when it is none of the disk's */
  #offline(topic: Topic, index: number, error: unknown): void {
    if (!(error instanceof Faulted)) throw error
    const key = keyOf(topic.id, index)
    if (this.#faults.has(key)) return
    this.#faults.set(key, error)
    const isDamage = error.door === 'bytes' && !(error instanceof UnknownSettings)
    if (isDamage && this.#onDamaged(topic, index, error)) return
    const name = `${topic.name}-${index}`
    const folder = this.#options.folder.partitionFolder(key)
    this.#options.onEvent({
      level: 'error',
      event: 'partition.offline',
      message: `${name} is offline until its disk or its folder ${folder} is repaired and the broker restarted: ${error.message}`,
      partition: name,
      folder,
    })
  }

  /** A log and its member of a quorum, in a folder. @throws Faulted when the log is damaged below its durable end */
  async openReplica(
    name: string,
    folder: string,
    founders: Founders,
    settings: TopicSettings,
    hasMachine: boolean,
  ): Promise<Replica> {
    const { world, files, host, onEvent } = this.#options
    const log = await openLog({
      world,
      folder,
      files,
      memory: this.#options.logMemory,
      pace: this.#pace,
      settings: logSettings(settings, this.#options.settings),
      onEvent: (event) => onEvent({ partition: name, ...event }),
    })
    return await host.open({
      name,
      folder,
      log,
      ...founders,
      hasMachine,
      settings: replicaSettings(settings, this.#options.settings),
    })
  }

  /** Those that met the end of the disk: there may be room now. */
  get full(): { readonly topicId: string; readonly index: number }[] {
    return [...this.#faults].flatMap(([key, { cause }]) => (isFull(cause) ? [placeOf(key)] : []))
  }

  /** Closes a partition that is offline: the next `open` tries again. */
  async reset(topic: Topic, index: number): Promise<void> {
    const key = keyOf(topic.id, index)
    await this.#closeAll([key])
    this.#openings.delete(key)
    this.#faults.delete(key)
  }

  /** Closes a damaged partition and moves its folder aside: offline until `openAnew`. Resolves with where it went. @throws Faulted */
  async setAside(topic: Topic, index: number): Promise<string> {
    const { folder, world } = this.#options
    const key = keyOf(topic.id, index)
    await this.#closeAll([key])
    this.#openings.set(key, Promise.resolve(null))
    return await folder.setAside(key, world.clock.now())
  }

  /** The quorum goes on without the replica that was here: the next `open` makes a new one. @throws Faulted */
  async allowAnew(topic: Topic, index: number): Promise<void> {
    const key = keyOf(topic.id, index)
    await this.#options.folder.forgotten.set(key, 'new')
    this.#openings.delete(key)
    this.#faults.delete(key)
  }

  /** The new log knows by itself that it came later. @throws Faulted */
  remembers(topic: Topic, index: number): void {
    this.#options.folder.forgotten.clear(keyOf(topic.id, index))
  }

  async #turn(): Promise<void> {
    if (this.#openingsInFlight >= inFlightMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#openingsInFlight++
  }

  /** Settings of the topic, or of the broker, have changed. */
  configure(topic: Topic): void {
    for (const index of topic.placements.keys()) {
      const partition = this.get(topic.id, index)
      if (partition !== undefined) this.#configure(partition)
    }
  }

  #configure(partition: Partition): void {
    const { settings } = this.#options
    const effective = topicSettings(settings, partition.topic.configs)
    partition.configure(effective)
    partition.replica.configure(replicaSettings(effective, settings))
    partition.replica.log.configure(logSettings(effective, settings))
  }

  /** Closes the partitions of a deleted topic and removes their files. */
  async remove(topic: Topic): Promise<void> {
    await this.#remove(topic, [...topic.placements.keys()])
  }

  async #remove(topic: Topic, indexes: readonly number[]): Promise<void> {
    const keys = indexes.map((index) => keyOf(topic.id, index))
    await this.#closeAll(keys)
    for (const key of keys) {
      this.#openings.delete(key)
      this.#faults.delete(key)
    }
    try {
      await this.#options.folder.removePartitions(keys)
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      this.#options.onEvent({
        level: 'error',
        event: 'folder.remove.failed',
        message: `files of topic ${topic.name} that are not needed any more may be left until the next start: ${error.message}`,
        topic: topic.name,
      })
    }
  }

  /** Flushes and closes everything. Nothing is opened any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#closeAll([...this.#openings.keys()])
  }

  async #closeAll(keys: readonly string[]): Promise<void> {
    // Who waits at any of them is told at once.
    for (const key of keys) this.#serveNoMore(key)
    const left = keys.values()
    const closeThose = async (): Promise<void> => {
      for (const key of left) {
        const partition = await this.#openings.get(key)
        // It may have begun to serve while we waited for it.
        this.#serveNoMore(key)
        partition?.close()
        if (partition) await this.closeReplica(partition.name, partition.replica)
      }
    }
    await Promise.all(Array.from({ length: inFlightMax }, closeThose))
  }

  #serveNoMore(key: string): void {
    const { topicId, index } = placeOf(key)
    this.#serving.get(topicId, index)?.close()
    this.#serving.delete(topicId, index)
  }

  /** A log that cannot be closed in good order is checked at the next start; the others must still be closed. */
  async closeReplica(name: string, replica: Replica): Promise<void> {
    try {
      await replica.close()
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      this.#options.onEvent({
        level: 'error',
        event: 'partition.close.failed',
        message: `${name} was not closed in good order; the next start checks its log: ${error.message}`,
        partition: name,
      })
    }
  }
}

function isFull(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT')
}

export function keyOf(topicId: string, index: number): string {
  return `${topicId}-${index}`
}

function placeOf(key: string): { topicId: string; index: number } {
  const at = key.lastIndexOf('-')
  return { topicId: key.slice(0, at), index: Number(key.slice(at + 1)) }
}

/** @throws UnknownSettings */
function settingsOf(settings: Settings, topic: Topic): TopicSettings {
  try {
    return topicSettings(settings, topic.configs)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    throw new UnknownSettings('bytes', `read the settings of topic ${topic.name}: ${error.detail}`)
  }
}
