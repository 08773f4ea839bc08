/**
 * A member of a consumer group in a process of its own, as python/member.py is: the same arguments, the same events.
 * Arguments, one JSON value: library (kafkajs | platformatic), bootstrap, group, topic, strategy.
 */
import { Consumer } from '@platformatic/kafka'
import library, { type Assigner, type PartitionAssigner } from 'kafkajs'
import { kafkajs } from './readers.ts'

export interface MemberArgs {
  library: 'confluent_kafka' | 'kafka' | 'kafkajs' | 'platformatic'
  bootstrap: string
  group: string
  topic: string
  strategy: string
  instance?: string
}

export type MemberEvent =
  | { event: 'assigned' | 'revoked'; partitions: number[]; lost?: boolean }
  | { event: 'records'; partition: number; offset: number; values: string[] }
  | { event: 'committed'; partition: number; offset: number }
  | { event: 'failed'; error: string; fatal: boolean }

const tell = (event: MemberEvent): boolean => process.stdout.write(`${JSON.stringify(event)}\n`)
const nameOf = (error: unknown): string =>
  (error as { type?: string }).type ?? (error as { code?: string }).code ?? String(error)

const { MemberAssignment, MemberMetadata } = library.AssignerProtocol

/** kafkajs names its only assigner RoundRobinAssigner: to share a group with other libraries it takes one under their name. */
const rangeAssigner: PartitionAssigner = ({ cluster }): Assigner => ({
  name: 'range',
  version: 0,
  protocol: ({ topics }) => ({
    name: 'range',
    metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
  assign: async ({ members, topics }) => {
    const ids = members.map(({ memberId }) => memberId).sort()
    return ids.map((memberId, index) => {
      const assignment: Record<string, number[]> = {}
      for (const topic of topics) {
        const all = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
        const size = Math.ceil(all.length / ids.length)
        assignment[topic] = all.sort((a, b) => a - b).slice(index * size, (index + 1) * size)
      }
      const memberAssignment = MemberAssignment.encode({ version: 0, assignment, userData: Buffer.alloc(0) })
      return { memberId, memberAssignment }
    })
  },
})

async function withKafkajs({ bootstrap, group, topic }: MemberArgs): Promise<() => Promise<void>> {
  const consumer = kafkajs(bootstrap).consumer({
    groupId: group,
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
    metadataMaxAge: 1000,
    partitionAssigners: [rangeAssigner],
  })
  consumer.on('consumer.group_join', ({ payload }) => {
    tell({ event: 'assigned', partitions: (payload.memberAssignment[topic] ?? []).sort((a, b) => a - b) })
  })
  consumer.on('consumer.rebalancing', () => tell({ event: 'revoked', partitions: [] }))
  consumer.on('consumer.crash', ({ payload }) =>
    tell({ event: 'failed', error: nameOf(payload.error), fatal: true }),
  )
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { partition, messages }, heartbeat, isStale }) => {
      if (isStale()) return
      const offset = Number(messages[0]?.offset)
      tell({ event: 'records', partition, offset, values: messages.map(({ value }) => String(value)) })
      const end = Number(messages.at(-1)?.offset) + 1
      await consumer.commitOffsets([{ topic, partition, offset: String(end) }])
      tell({ event: 'committed', partition, offset: end })
      await heartbeat()
    },
  })
  return () => consumer.disconnect()
}

async function withPlatformatic({ bootstrap, group, topic }: MemberArgs): Promise<() => Promise<void>> {
  const consumer = new Consumer({
    clientId: 'wire-platformatic',
    groupId: group,
    bootstrapBrokers: [bootstrap],
    autocommit: false,
    maxWaitTime: 200,
  })
  consumer.on(
    'consumer:group:join',
    ({ assignments = [] }: { assignments?: { topic: string; partitions: number[] }[] }) => {
      const partitions = assignments.find((assignment) => assignment.topic === topic)?.partitions ?? []
      tell({ event: 'assigned', partitions: partitions.sort((a, b) => a - b) })
    },
  )
  consumer.on('consumer:group:rebalance', () => tell({ event: 'revoked', partitions: [] }))
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    sessionTimeout: 6000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 500,
  })
  // What Kafka means by a committed offset is the next one to read; this library commits and takes it as the last one read, which
  // in a group shared with any other would skip a record at every hand-over. So: commit by hand, and one back on what it looked up.
  stream.on('offsets', () => {
    const mine = consumer.assignments?.find((assignment) => assignment.topic === topic)?.partitions ?? []
    for (const partition of mine) {
      const next = stream.offsetsToFetch.get(`${topic}:${partition}`) ?? 0n
      if (next > 0n) stream.offsetsToFetch.set(`${topic}:${partition}`, next - 1n)
    }
  })
  const consuming = (async () => {
    for await (const message of stream) {
      const { partition, offset, value } = message
      tell({ event: 'records', partition, offset: Number(offset), values: [value.toString()] })
      try {
        await consumer.commit({ offsets: [{ topic, partition, offset: offset + 1n, leaderEpoch: -1 }] })
        tell({ event: 'committed', partition, offset: Number(offset) + 1 })
      } catch (error) {
        tell({ event: 'failed', error: nameOf(error), fatal: false })
      }
    }
  })()
  consuming.catch((error: unknown) => tell({ event: 'failed', error: nameOf(error), fatal: true }))
  return async () => consumer.close(true)
}

if (process.argv[2] !== undefined) {
  const args = JSON.parse(process.argv[2]) as MemberArgs
  const leave = await (args.library === 'kafkajs' ? withKafkajs(args) : withPlatformatic(args))
  process.once('SIGTERM', () => void leave().then(() => process.exit(0)))
}
