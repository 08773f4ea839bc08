/**
 * What the members of one quorum say to each other: plain objects, one type for each meaning. Every message carries the
 * sender's epoch; whoever hears of a newer epoch follows it (the exceptions are at pre-votes, see raft.ts).
 *
 * Positions count units of the log and are exclusive ends (see src/log/log.ts): an append `from` 7 puts units behind the
 * first seven.
 */

import type { PlacedMembership } from './membership.ts'

export type Message<Entries> =
  | VoteRequest
  | VoteReply
  | Append<Entries>
  | Appended
  | Conflict
  | Heartbeat
  | HeartbeatReply
  | Advance
  | TimeoutNow
  | Fenced
  | Install
  | Installed

/**
 * "May I lead?" With `preVote` it only asks whether a real request would be granted: `epoch` is then the one that the sender
 * would campaign in, and nobody changes anything. `transfer`: the leader itself asked the sender to take over, so that
 * hearing from a live leader is no reason to refuse.  @source Raft 5.2, 5.4.1; thesis 9.6, 3.10
 */
export interface VoteRequest {
  readonly type: 'voteRequest'
  readonly epoch: number
  readonly preVote: boolean
  readonly transfer: boolean
  /** Of the sender's log: who votes has no newer one. */
  readonly lastEpoch: number
  readonly endPosition: number
}

/** `epoch`: as asked when granted, else the voter's own. */
export interface VoteReply {
  readonly type: 'voteReply'
  readonly epoch: number
  readonly preVote: boolean
  readonly granted: boolean
}

/**
 * Units [from, end of the last run). The receiver must hold `fromEpoch` at the unit before `from`. Without runs it only asks
 * whether the logs agree there (a probe).  @source Raft 5.3
 */
export interface Append<Entries> {
  readonly type: 'append'
  readonly epoch: number
  readonly from: number
  readonly fromEpoch: number
  /** The epochs of the units, in order; a new epoch begins with its epoch-start mark. */
  readonly runs: readonly Run[]
  /** The units themselves: carried by reference, never looked at here. null without runs. */
  readonly entries: Entries | null
  readonly highWatermark: number
  /** How often the leader has begun anew with this follower. Comes back in `Conflict`. */
  readonly attempt: number
}

/** Units up to `until` (exclusive), from the end of the run before, belong to `epoch`. */
export interface Run {
  readonly epoch: number
  readonly until: number
}

/**
 * "My log equals yours up to `matched`, and up to `durable` of that it will survive a crash." Only `durable` counts towards
 * the high watermark; `matched` is flow control.  @source
 */
export interface Appended {
  readonly type: 'appended'
  readonly epoch: number
  readonly matched: number
  readonly durable: number
}

/**
 * "At `from` my log is not yours." `position`, `positionEpoch`: the last place of mine that may be yours, so that the leader
 * jumps a whole epoch at a time.  @source Raft 5.3, the last paragraph
 */
export interface Conflict {
  readonly type: 'conflict'
  readonly epoch: number
  readonly from: number
  readonly position: number
  readonly positionEpoch: number
  /**
   * Of the append: one complaint ends an attempt, and the others about it count no more. Without it, appends that overtake each
   * other and complaints that come twice set off ever more appends (R-24; 876 messages under way in the worst of 7,500 schedules, 121 with it).
   */
  readonly attempt: number
}

/** Apart from appends, so that neither large appends nor slow disks can hold it up. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  readonly epoch: number
  /** The leader's clock. Comes back in the reply: contact counts from when the leader spoke, not from when the reply came. */
  readonly sentMs: number
  readonly highWatermark: number
  /**
   * Not 0: nothing is under way for the receiver, and as long as the sender's broker keeps this session it leads this epoch. So
   * there need not be another heartbeat: see heartbeats.ts.
   */
  readonly session: number
}

/** Repeats what `Appended` says, which repairs a lost one. */
export interface HeartbeatReply {
  readonly type: 'heartbeatReply'
  readonly epoch: number
  readonly sentMs: number
  readonly matched: number
  readonly durable: number
  /** Not 0: the receiver has everything, and as long as its broker keeps this session it follows in this epoch. */
  readonly session: number
}

/** The high watermark has risen and there is nothing to append. Not answered. */
export interface Advance {
  readonly type: 'advance'
  readonly epoch: number
  readonly highWatermark: number
}

/** "Campaign now": the receiver's log is as long as the leader's.  @source thesis 3.10 */
export interface TimeoutNow {
  readonly type: 'timeoutNow'
  readonly epoch: number
}

/** The answer to a leader of an older epoch, which must learn of it or it goes on for ever. */
export interface Fenced {
  readonly type: 'fenced'
  readonly epoch: number
}

/**
 * "What you lack has gone from my log: begin anew at `position`." One piece of an image at a time, the next when the one before
 * was answered; a log without a machine has no image (`size` 0), and one message is all.  @source Raft 7, R-27
 */
export interface Install {
  readonly type: 'install'
  readonly epoch: number
  /** Where the receiver's log will begin, and the epoch of the unit before it. With `size` and `crc`: which image this is. */
  readonly position: number
  readonly positionEpoch: number
  /** The offset there, and the first one that users see: at it, or inside the first batch. For the log; not looked at here. */
  readonly offset: number
  readonly start: number
  /** What is in force at `position`. */
  readonly membership: PlacedMembership
  /** Bytes of the whole image, and their crc32c. */
  readonly size: number
  readonly crc: number
  /** `piece` holds the image from here on. */
  readonly at: number
  readonly piece: Buffer
}

/** "Of the image at `position` I have the first `received` bytes." Not all: that they are in place and durable is said by `Appended`. */
export interface Installed {
  readonly type: 'installed'
  readonly epoch: number
  readonly position: number
  readonly received: number
}

export interface Envelope<Entries> {
  readonly to: number
  readonly message: Message<Entries>
}
