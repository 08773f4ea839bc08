/** What brokers ask each other: `kind` of a request (calls.ts), and what its payload and its answer are. */
import { array, bool, int32, int64, layout, struct, uuid } from '../notation.ts'
import { peerVersions } from './frame.ts'

export const callKinds = {
  /** To the controller: a decision. Payload: machines/cluster/command-codec.ts; answer: `commandAnswer` and the reply. */
  command: 1,
  /** To everybody: who leads what. Payload: `leaders`; no answer. */
  leaders: 2,
  /** To the leader of a partition: hand over. Payload: `transfer`; no answer, it is under way. */
  transfer: 3,
  /** To the controller: the state of the cluster's own quorum. No payload; answer: `quorum`. */
  quorum: 4,
  /** To the controller: take a broker out. Payload: `unregister`; answer: `commandAnswer`. */
  unregister: 5,
  /** To everybody: the sender stops, and should lead nothing any more. No payload, no answer. */
  stopping: 6,
  /** To the leader of a partition: the sender has lost its replica, or has a new one. Payload: `restore`; no answer, it is done or begun. */
  restore: 7,
} as const

const call = { versions: peerVersions, flexible: null } as const

/** Before the reply: everything below is committed, the decision with it. Who asked waits until it is applied there. */
export const commandAnswer = layout({ offset: int64 }, { ...call, name: 'command answer' })

/** Of partitions that the sender leads and that are ready. */
export const leaders = layout(
  { partitions: array(struct({ topicId: uuid, index: int32, epoch: int32, isr: array(int32) })) },
  { ...call, name: 'leaders' },
)

export const transfer = layout({ topicId: uuid, index: int32, to: int32 }, { ...call, name: 'transfer' })
export const unregister = layout({ id: int32 }, { ...call, name: 'unregister' })

/** `isAway`: go on without the sender's replica; else take it in again. */
export const restore = layout({ topicId: uuid, index: int32, isAway: bool }, { ...call, name: 'restore' })

const member = struct({ id: int32, logEndOffset: int64, lastFetchMs: int64, lastCaughtUpMs: int64 })
/** Times are of the wall clock; -1: never. */
export const quorum = layout(
  {
    leaderId: int32,
    epoch: int32,
    highWatermark: int64,
    voters: array(member),
    observers: array(member),
  },
  { ...call, name: 'quorum' },
)
