/**
 * Requests with bytes changed, cut and repeated, in every version: the answer is a response that can be encoded, or the connection
 * ends because the bytes are malformed. Nothing else may come out, and nothing that is stored may change.
 */
import t from 'tap'
import { Malformed } from '../../src/base/bytes.ts'
import { Refused } from '../../src/base/errors.ts'
import { zeroUuid } from '../../src/base/uuid.ts'
import { handlers } from '../../src/handlers/table.ts'
import { ApiVersions } from '../../src/protocol/apis/api-versions.ts'
import { DeleteRecords } from '../../src/protocol/apis/delete-records.ts'
import { DescribeLogDirs } from '../../src/protocol/apis/describe-log-dirs.ts'
import { DescribeProducers } from '../../src/protocol/apis/describe-producers.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { InitProducerId } from '../../src/protocol/apis/init-producer-id.ts'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import { OffsetForLeaderEpoch } from '../../src/protocol/apis/offset-for-leader-epoch.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import type { AnyApi } from '../../src/protocol/notation.ts'
import { Dispatch } from '../../src/server/dispatch.ts'
import { frameOf } from '../server/fixture.ts'
import { batchOf, startHandlers, topicId } from './fixture.ts'

const rounds = 300
const requests: readonly (readonly [AnyApi, object])[] = [
  [
    Produce,
    {
      acks: -1,
      timeoutMs: 5,
      topicData: [{ name: 'events', partitionData: [{ index: 0, records: [batchOf(['a', 'b'])] }] }],
    },
  ],
  [
    Fetch,
    {
      maxWaitMs: 5,
      minBytes: 1,
      topics: [
        {
          topic: 'events',
          topicId,
          partitions: [0, 1, 2].map((partition) => ({ partition, fetchOffset: 1, partitionMaxBytes: 1000 })),
        },
        { topic: 'missing', topicId: zeroUuid, partitions: [] },
      ],
    },
  ],
  [
    ListOffsets,
    { replicaId: -1, topics: [{ name: 'events', partitions: [{ partitionIndex: 0, timestamp: -1 }] }] },
  ],
  [OffsetForLeaderEpoch, { topics: [{ topic: 'events', partitions: [{ partition: 0, leaderEpoch: 3 }] }] }],
  [
    DeleteRecords,
    { topics: [{ name: 'events', partitions: [{ partitionIndex: 1, offset: 0 }] }], timeoutMs: 5 },
  ],
  [InitProducerId, { transactionalId: null, transactionTimeoutMs: 5 }],
  [DescribeProducers, { topics: [{ name: 'events', partitionIndexes: [0, 1] }] }],
  [DescribeLogDirs, { topics: [{ topic: 'events', partitions: [0] }] }],
  [ApiVersions, { clientSoftwareName: 'a', clientSoftwareVersion: '1' }],
]

/** mulberry32: the same damage in every run. */
function chance(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}

function damaged(frame: Buffer, below: (bound: number) => number): Buffer {
  const bytes = Buffer.from(frame)
  for (let times = 1 + below(3); times > 0; times--) {
    const at = 8 + below(bytes.length - 8)
    const interesting = [0x00, 0x01, 0x7f, 0x80, 0xff, below(256)]
    bytes[at] = interesting[below(interesting.length)] ?? 0
  }
  const kind = below(4)
  if (kind === 0) return bytes.subarray(0, 8 + below(bytes.length - 8))
  if (kind === 1) return Buffer.concat([bytes, bytes.subarray(0, below(bytes.length))])
  return bytes
}

t.test('damaged requests are answered or malformed', async (t) => {
  const { broker, replicas, clock } = startHandlers()
  replicas[0].propose(batchOf(['a', 'b']))
  replicas[0].commit()
  const first = Buffer.from(replicas[0].batches[0] ?? [])
  const dispatch = new Dispatch(broker, handlers)
  const caller = { id: 'c', clientHost: '/127.0.0.1', reserve: (bytes: number) => bytes }
  const below = chance(1)
  for (const [api, request] of requests) {
    const outcomes = { answered: 0, malformed: 0, refused: 0, unexpected: [] as string[] }
    for (let version = api.min; version <= api.max; version++) {
      const whole = frameOf<AnyApi>(api, version, request as never, 1).subarray(4)
      for (let round = 0; round < rounds; round++) {
        const frame = round === 0 ? whole : damaged(whole, below)
        try {
          const answer = dispatch.run(frame, dispatch.route(frame), caller)
          for (const replica of replicas) replica.commit()
          if (answer instanceof Promise) await Promise.race([answer, clock.advance(2 ** 31)])
          await answer
          outcomes.answered++
        } catch (error) {
          if (error instanceof Malformed) outcomes.malformed++
          else if (error instanceof Refused) outcomes.refused++
          else outcomes.unexpected.push(`v${version} ${frame.toString('hex')}: ${String(error)}`)
        }
      }
    }
    t.same(outcomes.unexpected, [], `${api.name}: ${JSON.stringify(outcomes)}`)
    t.ok(outcomes.answered > 0)
  }
  t.same(replicas[0].batches[0], first)
})
