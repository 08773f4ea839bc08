/**
 * What clients saw, as data. One operation for each record sent and each partition polled; the checker reads nothing else, so a
 * history may come from a simulation, from real processes, or from a hand.
 *
 * Time is a sequence number that every beginning and every end takes one of: `a.ended < b.began` means that b began when a was
 * over. An operation that nobody heard of again never ends (Infinity).
 *
 * Outcomes, by Jepsen's law: ok, it took effect; fail, it definitely did not; info, nobody knows.
 * @source jepsen/tests/kafka.clj
 */
export type Outcome = 'ok' | 'fail' | 'info'

interface Timed {
  readonly process: string
  readonly began: number
  readonly ended: number
  readonly outcome: Outcome
}

/** One record. Values are unique in their key. */
export interface Send extends Timed {
  readonly kind: 'send'
  /** A partition, for ever: a topic that is made again under its old name is another key. */
  readonly key: string
  readonly value: string
  /** null: not told. */
  readonly offset: number | null
  readonly acks: 0 | 1 | -1
  /** The producer promises the order of its own sends: idempotent, or one at a time. */
  readonly isOrdered: boolean
  /** Clock of the broker at the beginning, ms. */
  readonly beganMs: number
}

/** One answer of one partition to a Fetch. */
export interface Poll extends Timed {
  readonly kind: 'poll'
  readonly key: string
  readonly records: readonly (readonly [offset: number, value: string])[]
  readonly highWatermark: number
  /** -1: not told. */
  readonly logStart: number
  readonly endedMs: number
  /** Read after all faults, from the start to the high watermark. */
  readonly isFinal: boolean
}

/** ListOffsets. */
export interface Bound extends Timed {
  readonly kind: 'bound'
  readonly key: string
  readonly which: 'earliest' | 'latest'
  readonly offset: number
  readonly endedMs: number
}

/** The process gives up its place in these keys: what it polls next may lie anywhere. */
export interface Seek extends Timed {
  readonly kind: 'seek'
  readonly key: string
}

/** DeleteRecords up to `offset`. */
export interface Trim extends Timed {
  readonly kind: 'trim'
  readonly key: string
  readonly offset: number
}

/** OffsetCommit of a valid generation. */
export interface Commit extends Timed {
  readonly kind: 'commit'
  readonly group: string
  readonly key: string
  readonly offset: number
}

/** OffsetFetch; -1 when nothing is committed. */
export interface Committed extends Timed {
  readonly kind: 'committed'
  readonly group: string
  readonly key: string
  readonly offset: number
}

export type Operation = Send | Poll | Bound | Seek | Trim | Commit | Committed

/** When records of a key may go. -1 is no limit. */
export interface Policy {
  readonly retentionMs: number
  readonly retentionBytes: number
  /** No record takes more on disk. */
  readonly recordBytesMax: number
  /** By how much the broker's clock has jumped ahead, all jumps together. */
  readonly jumpedMs: number
}

/** One copy of a partition as it lies on a disk: offset to what tells records apart. */
export interface Copy {
  readonly key: string
  readonly node: string
  readonly start: number
  readonly highWatermark: number
  readonly records: ReadonlyMap<number, string>
}

export interface History {
  readonly operations: readonly Operation[]
  /** What may cost a record that only its leader had written: loss of power, loss of leadership. */
  readonly disruptions: readonly number[]
  /** Keys whose topic acknowledges what is written and not synced (flush.messages above 1): acks=all there is as acks=1, and what was read may be lost. */
  readonly unsynced: ReadonlySet<string>
  /** Of keys that may lose old records; the others keep all. */
  readonly policies: ReadonlyMap<string, Policy>
  readonly copies: readonly Copy[]
}

export type AnomalyKind =
  | 'inconsistent-offsets'
  | 'duplicate'
  | 'phantom-read'
  | 'aborted-read'
  | 'lost-write'
  | 'unseen'
  | 'ack-contract'
  | 'poll-skip'
  | 'nonmonotonic-poll'
  | 'int-poll-skip'
  | 'int-nonmonotonic-poll'
  | 'nonmonotonic-send'
  | 'realtime-order'
  | 'hw-regress'
  | 'read-above-hw'
  | 'stale-hw'
  | 'offset-hole'
  | 'commit-regress'
  | 'retention-legal'
  | 'replica-equal'

export interface Anomaly {
  readonly kind: AnomalyKind
  readonly key: string
  readonly detail: string
}
