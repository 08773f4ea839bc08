/**
 * A whole node on simulated hardware: the composition root over a disk in memory, a clock that the test moves and a net inside
 * the process; its clients speak the protocol.
 */
import type { Test } from 'tap'
import { errorName } from '../../src/base/error-codes.ts'
import { Faulted } from '../../src/base/errors.ts'
import type { BrokerEvent } from '../../src/broker/broker.ts'
import { Settings } from '../../src/config/settings.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { type DiskFault, type DiskOperation, SimDisk } from '../../src/embedded/sim-disk.ts'
import type { Disk } from '../../src/io/world.ts'
import { type RunningBroker, startBroker } from '../../src/main.ts'
import { CreateTopics } from '../../src/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../src/protocol/apis/delete-topics.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { FindCoordinator } from '../../src/protocol/apis/find-coordinator.ts'
import { IncrementalAlterConfigs } from '../../src/protocol/apis/incremental-alter-configs.ts'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { OffsetCommit } from '../../src/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../src/protocol/apis/offset-fetch.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { type AnyApi, type RequestInput, type ResponseOf, zeroUuid } from '../../src/protocol/notation.ts'
import { readRecords } from '../../src/records/records.ts'
import { batchPositions } from '../../src/records/scan.ts'
import { batchOf } from '../handlers/fixture.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'
import { Client } from '../server/fixture.ts'
import { ManualClock, MemoryNet } from '../server/world.ts'

export const dataDir = '/srv/lograft/data'
const port = 9092

export interface NodeOptions {
  readonly settings?: Record<string, string | number | boolean>
  readonly seed?: number
  readonly capacityBytes?: number
  readonly nodeId?: number
}

export class Node {
  readonly clock = new ManualClock()
  readonly disk: SimDisk
  readonly events: BrokerEvent[] = []
  settings: Record<string, string | number | boolean>
  nodeId: number
  net = new MemoryNet()
  /** The disk as the running process has it. */
  mount: Disk
  isPortTaken = false
  /** Set: happens to the disk. */
  onDisk: ((operation: DiskOperation) => DiskFault | undefined) | null = null
  readonly #random: SeededRandom
  #broker: RunningBroker | null = null
  /** A process that was killed has nothing to say any more. */
  #life = 0
  #client: Promise<NodeClient> | null = null

  /** Stopped with the test. */
  static async start(t: Test, options: NodeOptions = {}): Promise<Node> {
    const node = new Node(options)
    t.teardown(() => node.stop())
    await node.start()
    return node
  }

  constructor({ settings = {}, seed = 1, capacityBytes, nodeId = 1 }: NodeOptions = {}) {
    this.settings = { 'group.initial.rebalance.delay.ms': 0, ...settings }
    this.nodeId = nodeId
    this.#random = new SeededRandom(seed)
    this.disk = new SimDisk({
      clock: this.clock,
      canLosePower: true,
      onOperation: (operation) => this.onDisk?.(operation),
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
    })
    this.mount = this.disk.mount()
    this.mount.mkdir('/srv')
    this.disk.settleAll()
  }

  async start(): Promise<RunningBroker> {
    this.mount = this.disk.mount()
    this.net = new MemoryNet()
    if (this.isPortTaken) this.net.listen = () => Promise.reject(new Faulted('net', 'listen'))
    const life = this.#life
    const settings = new Settings()
    for (const [name, value] of Object.entries(this.settings)) settings.set(name, String(value), 'flag')
    this.#broker = await startBroker({
      nodeId: this.nodeId,
      dataDir,
      host: '127.0.0.1',
      port,
      advertised: null,
      settings,
      onEvent: (event) => {
        if (life === this.#life) this.events.push(event)
      },
      world: {
        clock: this.clock,
        disk: this.mount,
        net: this.net,
        random: this.#random,
        buffers: new PoisonedBuffers(),
      },
    })
    return this.#broker
  }

  async stop(): Promise<void> {
    const broker = this.#broker
    this.#broker = null
    this.#client = null
    await broker?.stop()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** kill -9: what was written is in the page cache. The process that is no more has no effect. */
  kill(): void {
    this.#life++
    this.#broker = null
    this.#client = null
    this.disk.kill()
    this.mount = this.disk.mount()
  }

  /** The power goes: of what was not synced, chance decides. */
  losePower(): void {
    this.kill()
    this.disk.losePower(this.#random)
    this.mount = this.disk.mount()
  }

  get broker(): RunningBroker {
    if (this.#broker === null) throw new Error('the node runs')
    return this.#broker
  }

  /** Lets time pass until there is an answer. */
  async inTime<T>(answer: Promise<T>): Promise<T> {
    let isHere = false
    const settled = () => {
      isHere = true
    }
    answer.then(settled, settled)
    while (!isHere) await this.clock.advance(1)
    return await answer
  }

  /** Names of events so far, at `level`. */
  said(level: BrokerEvent['level']): string[] {
    return this.events.filter((event) => event.level === level).map(({ event }) => event)
  }

  /** A connection of its own. */
  async connect(): Promise<NodeClient> {
    return new NodeClient(new Client(await this.net.connect({ host: '127.0.0.1', port })))
  }

  /** The connection that is always there. */
  get client(): Promise<NodeClient> {
    return this.#connected()
  }

  async #connected(): Promise<NodeClient> {
    this.#client ??= this.connect()
    if ((await this.#client).frames.isClosed) this.#client = this.connect()
    return await this.#client
  }

  async ask<A extends AnyApi>(api: A, request: RequestInput<A>, version = api.max) {
    return await (await this.client).ask(api, request, version)
  }

  /** Resolves with the topic's id, or with the error's name. */
  async createTopic(name: string, partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    return await (await this.client).createTopic(name, partitions, configs)
  }
  /** 'NONE', or the error's name. */
  async deleteTopic(name: string): Promise<string> {
    return await (await this.client).deleteTopic({ name, topicId: zeroUuid })
  }

  /** Sets configs of a topic, or of the broker ('' for all, by its id for this one). */
  async alter(resource: { topic: string } | { broker: string }, configs: Record<string, string>) {
    const [resourceType, resourceName] = 'topic' in resource ? [2, resource.topic] : [4, resource.broker]
    const { responses } = await this.ask(IncrementalAlterConfigs, {
      resources: [
        {
          resourceType,
          resourceName,
          configs: Object.entries(configs).map(([name, value]) => ({ name, value, configOperation: 0 })),
        },
      ],
      validateOnly: false,
    })
    const [{ errorCode, errorMessage } = { errorCode: -1, errorMessage: '' }] = responses
    return { error: errorName(errorCode), message: errorMessage }
  }

  /** The base offset, or the error's name. */
  async produce(
    topic: string,
    values: readonly string[],
    { partition = 0, acks = -1, timestamp = this.clock.now() } = {},
  ): Promise<number | string> {
    return await (await this.client).produce(topic, values, { partition, acks, timestamp })
  }

  /** Every value from `offset` on, or the error's name. */
  async consume(topic: string, { partition = 0, offset = 0 } = {}): Promise<string[] | string> {
    const values: string[] = []
    for (let next = offset; ; ) {
      const row = await (await this.client).fetch(topic, { partition, offset: next })
      if (typeof row === 'string') return row
      values.push(...row.values)
      if (row.nextOffset >= row.highWatermark) return values
      next = row.nextOffset
    }
  }

  /** Start and end of a partition, or the error's name. */
  async offsets(topic: string, partition = 0): Promise<[number, number] | string> {
    const found: number[] = []
    for (const timestamp of [-2, -1]) {
      const { topics } = await this.ask(ListOffsets, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
      })
      const row = topics[0]?.partitions[0]
      if (row === undefined || row.errorCode !== 0) return errorName(row?.errorCode ?? -1)
      found.push(row.offset)
    }
    return [found[0] ?? -1, found[1] ?? -1]
  }

  /** null asks for all topics. */
  async metadata(names: readonly string[] | null, mayCreate = false): Promise<ResponseOf<typeof Metadata>> {
    return await (await this.client).metadata(names, mayCreate)
  }

  async topicNames(): Promise<string[]> {
    return (await this.metadata(null)).topics.map(({ name }) => name ?? '').sort()
  }

  /** Commits an offset as a consumer that is no member; 'NONE', or the error's name. The first group makes the groups' topic. */
  async commit(group: string, topic: string, offset: number, partition = 0): Promise<string> {
    const { coordinators } = await this.ask(FindCoordinator, { keyType: 0, coordinatorKeys: [group] })
    if (coordinators[0]?.errorCode !== 0) return errorName(coordinators[0]?.errorCode ?? -1)
    const { topics } = await this.ask(OffsetCommit, {
      groupId: group,
      memberId: '',
      groupInstanceId: null,
      topics: [
        {
          name: topic,
          partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: null }],
        },
      ],
    })
    return errorName(topics[0]?.partitions[0]?.errorCode ?? -1)
  }

  /** The committed offset, -1 for none, or the error's name. */
  async committed(group: string, topic: string, partition = 0): Promise<number | string> {
    const { groups } = await this.ask(OffsetFetch, {
      groups: [{ groupId: group, memberId: null, topics: [{ name: topic, partitionIndexes: [partition] }] }],
      requireStable: false,
    })
    const [found] = groups
    if (found === undefined || found.errorCode !== 0) return errorName(found?.errorCode ?? -1)
    return found.topics[0]?.partitions[0]?.committedOffset ?? -1
  }

  /** Files below the data folder whose path matches, relative to it. */
  files(pattern: RegExp): string[] {
    const below = (path: string): string[] =>
      this.mount.list(path).flatMap((name) => {
        const at = `${path}/${name}`
        return this.mount.stat(at)?.isFolder ? below(at) : [at.slice(dataDir.length + 1)]
      })
    return below(dataDir).filter((path) => pattern.test(path))
  }

  folderOf(topicId: string, index = 0): string {
    return `${dataDir}/partitions/${topicId}-${index}`
  }
}

/** One connection to a node: requests go out in order, and so do their answers come. */
export class NodeClient {
  readonly frames: Client
  #last: Promise<unknown> = Promise.resolve()

  constructor(frames: Client) {
    this.frames = frames
  }

  /** @throws when the connection closes before the answer */
  async ask<A extends AnyApi>(api: A, request: RequestInput<A>, version = api.max): Promise<ResponseOf<A>> {
    this.frames.ask(api, version, request)
    const answer = this.#last.then(() => this.frames.answer(api, version))
    this.#last = answer
    const answered = await answer
    if (answered === null) throw new Error(`the connection closed before ${api.name} was answered`)
    return answered.response
  }

  async createTopic(name: string, partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const { topics } = await this.ask(CreateTopics, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          assignments: [],
          configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
        },
      ],
      timeoutMs: 1000,
    })
    const [created] = topics
    if (created === undefined) throw new Error('CreateTopics answers for the topic')
    return created.errorCode === 0 ? created.topicId : errorName(created.errorCode)
  }

  async deleteTopic(topic: { name: string | null; topicId: string }): Promise<string> {
    const { responses } = await this.ask(DeleteTopics, { topics: [topic], topicNames: [], timeoutMs: 1000 })
    return errorName(responses[0]?.errorCode ?? -1)
  }

  async metadata(names: readonly string[] | null, mayCreate = false): Promise<ResponseOf<typeof Metadata>> {
    return await this.ask(Metadata, {
      topics: names?.map((name) => ({ name, topicId: zeroUuid })) ?? null,
      allowAutoTopicCreation: mayCreate,
      includeTopicAuthorizedOperations: false,
    })
  }

  async produce(
    topic: string,
    values: readonly string[],
    { partition = 0, acks = -1, timestamp = 1_700_000_000_000 } = {},
  ): Promise<number | string> {
    const records = [batchOf(values, { timestamp })]
    const { responses } = await this.ask(Produce, {
      acks,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
    })
    const row = responses[0]?.partitionResponses[0]
    if (row === undefined) throw new Error('Produce answers for the partition')
    return row.errorCode === 0 ? row.baseOffset : errorName(row.errorCode)
  }

  async fetch(
    topic: string,
    { partition = 0, offset = 0, maxWaitMs = 0 } = {},
  ): Promise<{ values: string[]; nextOffset: number; highWatermark: number } | string> {
    const { responses } = await this.ask(
      Fetch,
      {
        maxWaitMs,
        minBytes: 1,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [{ topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 1_048_576 }] }],
        forgottenTopicsData: [],
      } as RequestInput<typeof Fetch>,
      12,
    )
    const row = responses[0]?.partitions[0]
    if (row === undefined) throw new Error('Fetch answers for the partition')
    if (row.errorCode !== 0) return errorName(row.errorCode)
    const values: string[] = []
    let nextOffset = offset
    for (const run of row.records) {
      for (const at of batchPositions(run)) {
        for (const record of readRecords(run, at, { maxExpandedBytes: 1 << 20 })) {
          if (record.offset < offset) continue
          values.push(record.value?.toString() ?? '')
          nextOffset = record.offset + 1
        }
      }
    }
    return { values, nextOffset, highWatermark: row.highWatermark }
  }
}
