/** A broker of fake partitions, asked over the wire format in any version. */
import { Reader } from '../../src/base/bytes.ts'
import type { Broker, BrokerEvent } from '../../src/broker/broker.ts'
import { Leaders } from '../../src/broker/leaders.ts'
import { Partition } from '../../src/broker/partition.ts'
import { ProducerIds } from '../../src/broker/producer-ids.ts'
import { Purgatory } from '../../src/broker/purgatory.ts'
import { Settings } from '../../src/config/settings.ts'
import { type TopicSettings, topicSettings } from '../../src/config/topic-settings.ts'
import type { Handler } from '../../src/handlers/handler.ts'
import { handlers } from '../../src/handlers/table.ts'
import { emptyClusterState, type Topic } from '../../src/machines/cluster/state.ts'
import { decodeResponseHeader } from '../../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { BatchBuilder, type BatchOptions } from '../../src/records/records.ts'
import { Dispatch } from '../../src/server/dispatch.ts'
import { FakeReplica } from '../broker/fake-replica.ts'
import { frameOf } from '../server/fixture.ts'
import { ManualClock } from '../server/world.ts'

export const topicId = '11111111-1111-4111-8111-111111111111'

export interface HandlerFixture {
  readonly broker: Broker
  readonly clock: ManualClock
  readonly events: BrokerEvent[]
  /** Of topic 'events', by partition; partition 2 of its three is not here. */
  readonly replicas: readonly [FakeReplica, FakeReplica]
  readonly partitions: readonly [Partition, Partition]
  /** Answers undefined when nothing is sent. */
  ask<A extends AnyApi>(
    api: A,
    version: number,
    request: RequestInput<A>,
    options?: { connection?: string; reserved?: number },
  ): Promise<ResponseOf<A> | undefined>
}

export function startHandlers(
  options: {
    settings?: Record<string, string>
    configs?: Record<string, string>
    handlers?: readonly Handler[]
    allocate?: () => Promise<{ first: number; count: number }>
    clock?: ManualClock
    /** Stands for the partitions on fake replicas. */
    hosted?: (topic: Topic, index: number, settings: TopicSettings) => Partition | undefined
  } = {},
): HandlerFixture {
  const settings = new Settings()
  for (const [name, value] of Object.entries(options.settings ?? {})) settings.set(name, value, 'flag')
  const clock = options.clock ?? new ManualClock()
  const events: BrokerEvent[] = []
  const onEvent = (event: BrokerEvent) => void events.push(event)
  const configs = new Map(Object.entries(options.configs ?? {}))
  const topic = {
    name: 'events',
    id: topicId,
    placements: [[1], [1], [2]],
    configs,
    moves: new Map(),
    origins: new Map(),
  }
  const image = emptyClusterState()
  image.topics.add(topic)
  const internal = { name: '__consumer_offsets', id: '22222222-2222-4222-8222-222222222222' }
  image.topics.add({
    ...internal,
    placements: [[1]],
    configs: new Map(),
    moves: new Map(),
    origins: new Map(),
  })
  image.brokers.set(2, {
    id: 2,
    diskId: 'd',
    host: 'two.example',
    port: 9092,
    rack: 'b',
    peerHost: null,
    peerPort: 0,
  })
  const replicas = [new FakeReplica(), new FakeReplica()] as const
  const effective = topicSettings(settings, configs)
  const partitionOf = (replica: FakeReplica, index: number) =>
    new Partition({ topic, index, replica, settings: effective, onEvent })
  const partitions = [partitionOf(replicas[0], 0), partitionOf(replicas[1], 1)] as const
  let blocks = 0
  const allocate = options.allocate ?? (async () => ({ first: 1000 * ++blocks, count: 2 }))
  const broker = {
    nodeId: 1,
    clusterId: 'cluster',
    dataDir: '/data',
    world: { clock, disk: { freeBytes: () => 5_000_000 } },
    settings,
    image,
    purgatory: new Purgatory({
      clock,
      parkedMax: settings.get('lograft.fetches.parked.max'),
      wokenMax: settings.get('lograft.fetches.woken.max'),
    }),
    producerIds: new ProducerIds({ allocateProducerIds: allocate }),
    partition: (id: string, index: number) => {
      if (id !== topicId) return undefined
      return options.hosted === undefined ? partitions[index] : options.hosted(topic, index, effective)
    },
    fault: () => undefined,
    leaders: new Leaders(clock),
    controllerId: 1,
    isAlive: (nodeId: number) => nodeId === 1 || image.brokers.has(nodeId),
    endpoint: (nodeId: number) => image.brokers.get(nodeId),
    event: onEvent,
  } as unknown as Broker
  const dispatch = new Dispatch(broker, options.handlers ?? handlers)

  return {
    broker,
    clock,
    events,
    replicas,
    partitions,
    async ask<A extends AnyApi>(
      api: A,
      version: number,
      request: RequestInput<A>,
      { connection = 'c', reserved = 2 ** 30 } = {},
    ): Promise<ResponseOf<A> | undefined> {
      const frame = frameOf(api, version, request, 42).subarray(4)
      const caller = {
        id: connection,
        clientHost: '/127.0.0.1',
        reserve: (bytes: number) => Math.min(bytes, reserved),
      }
      const answer = await dispatch.run(frame, dispatch.route(frame), caller)
      if (answer === null) return undefined
      const reader = new Reader(Buffer.concat(answer.buffers), 4)
      decodeResponseHeader(reader, api.responseHeaderVersion(version))
      return api.decodeResponse(reader, version) as ResponseOf<A>
    },
  }
}

/** A batch of records with these values, as a producer sends it. */
export function batchOf(
  values: readonly string[],
  options: Partial<BatchOptions> & { timestamp?: number } = {},
): Buffer {
  const { timestamp = 1_700_000_000_000, ...rest } = options
  const builder = new BatchBuilder({ codec: 'none', ...rest })
  for (const value of values) builder.append({ timestamp, key: null, value: Buffer.from(value), headers: [] })
  return builder.build()
}
