import t from 'tap'
import { Malformed, Reader } from '../../src/base/bytes.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { apiByKey } from '../../src/protocol/apis.ts'
import { compatibilityTable } from '../../src/protocol/compatibility.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/protocol/consumer-protocol.ts'
import { peekApi } from '../../src/protocol/header.ts'

t.test('APIs are listed once, in order, each with a range that Kafka’s clients can use', async (t) => {
  const keys = [...apiByKey.keys()]
  t.strictSame(
    keys,
    keys.toSorted((a, b) => a - b),
  )
  t.equal(new Set([...apiByKey.values()].map(({ name }) => name)).size, keys.length)
  for (const [key, api] of apiByKey) {
    t.equal(api.key, key)
    t.ok(api.advertisedMin <= api.min && api.min <= api.max, api.name)
  }
  const produce = apiByKey.get(0)
  t.equal(produce?.advertisedMin, 0, 'without Produce 0 old librdkafka does not compress')
  t.equal(produce?.min, 3)
})

t.test('the compatibility table', async (t) => {
  const rows = compatibilityTable(apiByKey.values()).trimEnd().split('\n')
  t.equal(rows.length, 2 + apiByKey.size)
  t.equal(rows[2], '| 0 | Produce | 3-11 (advertised from 0) | 9 |')
  t.ok(rows.includes('| 1 | Fetch | 4-16 | 12 |'))
  t.ok(rows.includes('| 47 | OffsetDelete | 0 | - |'))
})

t.test('librdkafka 2.12 asks for all topics with three bytes too many', async (t) => {
  const body = Buffer.from('00000000010000', 'hex')
  t.match(Metadata.decodeRequest(new Reader(body), 12), { topics: null, allowAutoTopicCreation: false })
  t.throws(
    () => Produce.decodeRequest(new Reader(Buffer.from('ffffffff0000000000000000ff', 'hex')), 3),
    Malformed,
  )
})

t.test('what a frame asks for is known before its header', async (t) => {
  t.strictSame(peekApi(Buffer.from('0012000400000007ffff', 'hex')), { apiKey: 18, apiVersion: 4 })
  t.throws(() => peekApi(Buffer.from('001200', 'hex')), Malformed)
})

t.test('subscriptions and assignments of consumers', async (t) => {
  const subscription = {
    topics: ['a', 'b'],
    userData: Buffer.from('x'),
    ownedPartitions: [{ topic: 'a', partitions: [0, 2] }],
    generationId: 4,
    rackId: 'r',
  }
  t.strictSame(decodeSubscription(encodeSubscription(subscription, 3)), subscription)
  const { topics, userData, ownedPartitions } = subscription
  const defaults = { topics: [], userData: null, ownedPartitions: [], generationId: -1, rackId: null }
  t.strictSame(decodeSubscription(encodeSubscription(subscription, 0)), { ...defaults, topics, userData })
  t.strictSame(decodeSubscription(encodeSubscription(subscription, 1)), {
    ...defaults,
    ...{ topics, userData, ownedPartitions },
  })

  const newer = Buffer.concat([encodeSubscription(subscription, 3), Buffer.from('what version 9 has more')])
  newer.writeInt16BE(9, 0)
  t.strictSame(decodeSubscription(newer), subscription, 'a version of tomorrow')
  const bare = encodeSubscription({ topics: ['a'] }, 0)
  bare.writeInt16BE(1, 0)
  t.strictSame(decodeSubscription(bare), { ...defaults, topics: ['a'] }, 'version 1 without its fields')
  for (const bad of ['', '00', 'ffff00000000ffffffff', '0000', '000000000001', '00000000ffff']) {
    t.throws(() => decodeSubscription(Buffer.from(bad, 'hex')), Malformed, bad)
  }

  const assignment = { assignedPartitions: [{ topic: 'a', partitions: [1] }], userData: null }
  for (const version of [0, 1, 2, 3]) {
    t.strictSame(decodeAssignment(encodeAssignment(assignment, version)), assignment)
  }
  t.throws(
    () => decodeAssignment(Buffer.alloc(0)),
    Malformed,
    'a member without an assignment: the caller’s to tell',
  )
})
