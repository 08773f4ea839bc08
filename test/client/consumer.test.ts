/** The consumer against a broker of our own making: what a log loses, what hooks and signals do. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import type { ConsumerOptions } from '../../client/consumer-settings.ts'
import type { ClientEvents } from '../../client/diagnostics.ts'
import { LogTruncated, type Truncation } from '../../client/errors.ts'
import type { ConsumerRecord } from '../../client/partition-reader.ts'
import { errorCode } from '../../src/base/error-codes.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { FindCoordinator } from '../../src/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../src/protocol/apis/heartbeat.ts'
import { JoinGroup } from '../../src/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../src/protocol/apis/leave-group.ts'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { OffsetFetch } from '../../src/protocol/apis/offset-fetch.ts'
import { OffsetForLeaderEpoch } from '../../src/protocol/apis/offset-for-leader-epoch.ts'
import { SyncGroup } from '../../src/protocol/apis/sync-group.ts'
import type { RequestOf } from '../../src/protocol/notation.ts'
import { BatchBuilder } from '../../src/records/records.ts'
import { hangUp, ScriptedBroker } from './scripted-broker.ts'

/** A partition with `end` records, and the answers to questions about it. */
class Log {
  end = 10
  /** Records from here on were lost in an election; -1: none. */
  divergedAt = -1
  fetchVersionMax = 17
  epoch = 3
  readonly fetches: { offset: number; epoch: number; bytesMax: number }[] = []
  valueBytes = 1

  serve(broker: ScriptedBroker): void {
    broker.on(Metadata, (request) => {
      const response = broker.metadata(request)
      const topics = response.topics.map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((p) => ({ ...p, leaderEpoch: this.epoch })),
      }))
      return { ...response, topics }
    })
    broker.on(ListOffsets, (request) => ({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          errorCode: 0,
          offset: timestamp === -2 ? 0 : timestamp === -1 ? this.end : Math.min(timestamp, this.end),
          timestamp: -1,
          leaderEpoch: this.epoch,
        })),
      })),
    }))
    broker.on(OffsetForLeaderEpoch, (request) => ({
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, leaderEpoch }) => ({
          errorCode: 0,
          partition,
          leaderEpoch,
          endOffset: this.divergedAt < 0 ? this.end : this.divergedAt,
        })),
      })),
    }))
    broker.on(Fetch, async (request) => {
      const response = this.#fetch(request)
      if (response.every(({ partitions }) => partitions.every(({ records }) => records?.length === 0))) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(request.maxWaitMs, 20)))
      }
      return { errorCode: 0, sessionId: 0, responses: response }
    })
  }

  #fetch(request: RequestOf<typeof Fetch>) {
    return request.topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map((asked) => {
        const { partition, fetchOffset, lastFetchedEpoch, partitionMaxBytes, currentLeaderEpoch } = asked
        this.fetches.push({ offset: fetchOffset, epoch: lastFetchedEpoch, bytesMax: partitionMaxBytes })
        const answer = {
          partitionIndex: partition,
          errorCode: 0,
          highWatermark: this.end,
          abortedTransactions: null,
          records: [] as Buffer[],
        }
        if (currentLeaderEpoch < this.epoch) return { ...answer, errorCode: errorCode('FENCED_LEADER_EPOCH') }
        if (this.divergedAt >= 0 && lastFetchedEpoch >= 0 && fetchOffset > this.divergedAt) {
          return { ...answer, divergingEpoch: { epoch: this.epoch, endOffset: this.divergedAt } }
        }
        if (fetchOffset > this.end) return { ...answer, errorCode: errorCode('OFFSET_OUT_OF_RANGE') }
        if (fetchOffset === this.end) return answer
        return { ...answer, records: [this.#batch(fetchOffset, partitionMaxBytes)] }
      }),
    }))
  }

  #batch(from: number, bytesMax: number): Buffer {
    const count = Math.max(1, Math.min(this.end - from, Math.floor(bytesMax / (this.valueBytes + 20))))
    const builder = new BatchBuilder({ codec: 'none' })
    for (let i = 0; i < count; i++) {
      builder.append({ key: null, value: Buffer.alloc(this.valueBytes, `${from + i}`), timestamp: 0 })
    }
    const bytes = builder.build()
    bytes.writeBigInt64BE(BigInt(from), 0)
    bytes.writeInt32BE(this.epoch, 12)
    return bytes
  }
}

async function fixture(t: Test, log: Log, options: Partial<ConsumerOptions> = {}) {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  log.serve(broker)
  const served = broker.apiVersions()
  broker.apiVersions = () => ({
    ...served,
    apiKeys: served.apiKeys.map((row) =>
      row.apiKey === Fetch.key ? { ...row, maxVersion: Math.min(row.maxVersion, log.fetchVersionMax) } : row,
    ),
  })
  const client = new Client({ bootstrap: broker.bootstrap, retryBackoffMs: 5, metadataMaxAgeMs: 50 })
  t.teardown(() => client.close({ timeoutMs: 100 }))
  const consumer = client.consumer({ topics: ['orders'], from: 'beginning', ...options })
  return { broker, client, consumer }
}

/** A group of one member, which divides for itself and has committed nothing. */
function serveGroup(broker: ScriptedBroker): void {
  const group = { protocolName: 'range', generationId: 1, memberId: 'member', leader: 'member' }
  broker.on(FindCoordinator, ({ coordinatorKeys }) => ({
    coordinators: coordinatorKeys.map((key) => ({
      key,
      nodeId: 1,
      host: '127.0.0.1',
      port: broker.port,
      errorCode: 0,
      errorMessage: null,
    })),
  }))
  broker.on(JoinGroup, ({ protocols }) => ({
    ...group,
    errorCode: 0,
    skipAssignment: false,
    members: protocols.slice(0, 1).map(({ metadata }) => ({ memberId: group.memberId, metadata })),
  }))
  broker.on(SyncGroup, ({ assignments }) => ({
    errorCode: 0,
    protocolName: group.protocolName,
    assignment: assignments[0]?.assignment ?? Buffer.alloc(0),
  }))
  broker.on(Heartbeat, () => ({ errorCode: 0 }))
  broker.on(OffsetFetch, ({ groups }) => ({
    groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: 0 })),
  }))
}

async function take(records: AsyncIterable<ConsumerRecord>, count: number): Promise<number[]> {
  const offsets: number[] = []
  for await (const { offset } of records) if (offsets.push(offset) === count) break
  return offsets
}

t.test('a broker that no longer leads names its successor: it is asked at once', async (t) => {
  const log = new Log()
  const { broker, client } = await fixture(t, log)
  const successor = await ScriptedBroker.listen(t, { orders: 1 })
  log.serve(successor)
  const patient = new Client({ bootstrap: broker.bootstrap, retryBackoffMs: 60_000, leaderBackoffMs: 60_000 })
  t.teardown(() => patient.close({ timeoutMs: 100 }))
  await client.close()
  const consumer = patient.consumer({ topics: ['orders'], from: 'beginning', prefetchBytesMax: 1 })
  const first = await take(consumer, 1)

  log.end = 20
  log.epoch = 4
  broker.on(Fetch, (request) => ({
    errorCode: 0,
    sessionId: 0,
    responses: request.topics.map(({ topic, topicId, partitions }) => ({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) => ({
        partitionIndex: partition,
        errorCode: errorCode('NOT_LEADER_OR_FOLLOWER'),
        highWatermark: -1,
        abortedTransactions: null,
        records: [],
        currentLeader: { leaderId: 2, leaderEpoch: 4 },
      })),
    })),
    nodeEndpoints: [{ nodeId: 2, host: '127.0.0.1', port: successor.port, rack: null }],
  }))
  const rest = await take(consumer, 19)
  t.same(
    [...first, ...rest],
    Array.from({ length: 20 }, (_, i) => i),
  )
  t.ok(
    successor.seen.some(({ api }) => api === 'Fetch'),
    'from the broker that was named',
  )
})

for (const fetchVersionMax of [17, 11]) {
  t.test(`a log that lost what was read (Fetch ${fetchVersionMax})`, async (t) => {
    const heard: Truncation[] = []
    const listen = (message: unknown): void => {
      heard.push(message as Truncation)
    }
    subscribe('lograft:client:truncated', listen)
    t.teardown(() => unsubscribe('lograft:client:truncated', listen))
    const expected = { topic: 'orders', partition: 0, position: 10, divergedAt: 6 }
    const lose = (log: Log): void => {
      log.divergedAt = 6
      log.epoch = 4
      log.end = 12
    }

    const log = new Log()
    log.fetchVersionMax = fetchVersionMax
    const told: Truncation[] = []
    const { consumer } = await fixture(t, log, { onTruncated: (truncation) => told.push(truncation) })
    t.same(await take(consumer, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    lose(log)
    const rest = take(consumer, 6)
    await new Promise<void>((resolve) => {
      const look = (): void => void (told.length > 0 ? resolve() : setTimeout(look, 5))
      look()
    })
    log.divergedAt = -1
    t.same(await rest, [6, 7, 8, 9, 10, 11], 'goes on where the two logs part')
    t.same(told, [expected])
    t.same(heard, [expected])

    const strict = new Log()
    strict.fetchVersionMax = fetchVersionMax
    const other = await fixture(t, strict, { offsetReset: 'none' })
    await take(other.consumer, 10)
    lose(strict)
    const error = await take(other.consumer, 1).catch((thrown: unknown) => thrown)
    t.type(error, LogTruncated)
    t.match(error, {
      code: 'LOG_TRUNCATED',
      retriable: false,
      truncation: expected,
      advice: /seek to divergedAt/,
    })
    other.consumer.seek({ topic: 'orders', partition: 0 }, 6)
    strict.divergedAt = -1
    t.same(await take(other.consumer, 2), [6, 7], 'and a seek is the way on')
  })
}

t.test('a log that ends below the position is told from one that was trimmed', async (t) => {
  const log = new Log()
  log.fetchVersionMax = 11
  log.valueBytes = 3
  const { consumer } = await fixture(t, log, { offsetReset: 'none' })
  await take(consumer, 10)
  log.end = 4
  log.divergedAt = 4
  t.match(await take(consumer, 1).catch((thrown: unknown) => thrown), { code: 'LOG_TRUNCATED' })

  const beyond = await fixture(t, new Log(), { from: 50 })
  t.match(await take(beyond.consumer, 1).catch((thrown: unknown) => thrown), { code: 'NO_OFFSET' })
  const byTime = await fixture(t, new Log(), { from: 50, offsetReset: { timestamp: 7 } })
  t.same(await take(byTime.consumer, 1), [7], 'or it goes on from a time')
})

t.test('who leaves a group tells the coordinator that takes over, too', async (t) => {
  const { broker, consumer } = await fixture(t, new Log(), { groupId: 'g', autoCommit: false })
  serveGroup(broker)
  const left: string[] = []
  broker.on(LeaveGroup, ({ members }) => {
    left.push(...members.map(({ memberId }) => memberId))
    if (left.length === 1) return hangUp
    return { errorCode: left.length === 2 ? errorCode('NOT_COORDINATOR') : 0, members: [] }
  })
  await take(consumer, 1)
  await consumer.close()
  t.same(left, ['member', 'member', 'member'])
})

t.test('who leaves a group of which nobody is there any more does not wait', async (t) => {
  const { broker, consumer } = await fixture(t, new Log(), { groupId: 'g', autoCommit: false })
  serveGroup(broker)
  let attempts = 0
  const watch = (message: unknown): void => {
    if ((message as ClientEvents['retried']).what === 'leave group g') attempts++
  }
  subscribe('lograft:client:retried', watch)
  t.teardown(() => unsubscribe('lograft:client:retried', watch))
  await take(consumer, 1)
  await broker.close()
  await consumer.close()
  t.ok(attempts <= 1, `asked again ${attempts} times`)
})

t.test('what is fetched ahead is bounded', async (t) => {
  const log = new Log()
  log.end = 1_000
  log.valueBytes = 1_000
  const { consumer } = await fixture(t, log, { partitionBytesMax: 10_000, prefetchBytesMax: 30_000 })
  const records = consumer[Symbol.asyncIterator]()
  await records.next()
  const { fetches } = log
  await new Promise((resolve) => setTimeout(resolve, 100))
  const ahead = fetches[fetches.length - 1]?.offset ?? 0
  t.ok(ahead <= 40, `with one record read it has asked for ${ahead}`)
  for (let n = 1; n < 1_000; n++) await records.next()
  t.equal(consumer.positions[0]?.lag, 0)
  await records.return?.()
})

t.test('an AbortSignal closes the consumer and ends its loop', async (t) => {
  const stop = new AbortController()
  const { consumer, client } = await fixture(t, new Log(), { signal: stop.signal })
  const seen: number[] = []
  const done = (async () => {
    for await (const { offset } of consumer) seen.push(offset)
  })()
  await take(client.consumer({ topics: ['orders'], from: 'beginning' }), 10)
  while (seen.length < 10) await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await done
  t.same(seen.length, 10)
  const late = client.consumer({ topics: ['orders'], signal: stop.signal })
  t.same(await late[Symbol.asyncIterator]().next(), { value: undefined, done: true }, 'aborted beforehand')
})
