/** A topic is created on several brokers at the same moment: its leader is there within milliseconds. */
import t from 'tap'
import type { VoteRequest } from '../../src/raft/message.ts'
import { EarlyVotes } from '../../src/replica/early-votes.ts'
import { Cluster } from './cluster.ts'

const request = (epoch: number): VoteRequest => ({
  type: 'voteRequest',
  epoch,
  preVote: true,
  transfer: false,
  lastEpoch: 0,
  endPosition: 0,
})

t.test('a candidate that was faster than the others leads as soon as one of them is there', async (t) => {
  const cluster = new Cluster()
  const first = await cluster.start(1)
  await cluster.clock.advance(31)
  t.equal(first.role, 'candidate', 'it has asked, and nobody was there')
  t.equal(cluster.sent.get('pre-voteRequest'), 2)
  await cluster.start(2)
  await cluster.clock.advance(5)
  t.ok(first.isReady, 'without asking again')
  await cluster.start(3)
  await cluster.clock.advance(60)
  t.equal(cluster.member(3).leaderId, 1)
  t.equal(cluster.member(3).epoch, 1)
})

t.test('what was asked long ago does not count, and nothing is made for it (R-33)', async (t) => {
  const cluster = new Cluster()
  await cluster.start(1)
  await cluster.clock.advance(31)
  cluster.isolate(1)
  await cluster.clock.advance(400)
  const before = new Map(cluster.sent)
  await cluster.start(2)
  await cluster.clock.advance(5)
  t.equal(cluster.sent.get('pre-voteReply'), before.get('pre-voteReply'))
})

t.test('kept requests are bounded: the newest of each candidate, of so many replicas', async (t) => {
  const early = new EarlyVotes({ replicasMax: 3, keepMs: 100 })
  for (let at = 0; at < 10; at++) early.keep(`t-${at % 5}`, 1, request(at), at)
  t.same(early.take('t-1', 10), [])
  t.same(
    early.take('t-3', 10).map((one) => one.request.epoch),
    [8],
  )
  early.keep('t-4', 2, request(3), 11)
  early.keep('t-4', 1, request(12), 12)
  t.same(
    early.take('t-4', 13).map(({ from, request }) => [from, request.epoch]),
    [
      [2, 3],
      [1, 12],
    ],
  )
  t.same(early.take('t-4', 13), [], 'handed over once')
  early.keep('t-2', 1, request(13), 14)
  t.same(early.take('t-2', 114), [], 'too old')
})
