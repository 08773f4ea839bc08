/**
 * What comes out of the core: one value, whose fields are the durability rule. The driver
 *
 *   1. applies `operations` to the log, in order, at once (in memory; a write and a sync follow when it likes);
 *   2. when there is a `ballot`, makes it durable, then steps `balloted`;
 *   3. sends `messages` whenever it likes, in parallel with the disk: they promise nothing;
 *   4. sends `promises` only when the ballots of this and of every earlier Ready are durable;
 *   5. reads for followers what `reads` asks, and steps `read`.
 *
 * What needs a durable log (a follower's word that it holds units, the leader's own share of the high watermark) is not in
 * here until the driver has stepped `durable`. (etcd's two queues, msgs and msgsAfterAppend.)
 */
import type { Envelope, Run } from './message.ts'

export interface Ready<Entries> {
  readonly operations: readonly Operation<Entries>[]
  readonly ballot: Ballot | null
  readonly messages: readonly Envelope<Entries>[]
  readonly promises: readonly Envelope<Entries>[]
  readonly reads: readonly Read[]
}

/** What a member must never forget: the newest epoch it has seen, and whom it voted for in it (-1: nobody). */
export interface Ballot {
  readonly epoch: number
  readonly votedFor: number
}

export type Operation<Entries> =
  /** Cut at and above `position`: another leader's units follow. */
  | { readonly type: 'truncate'; readonly position: number }
  /** Put the units of `entries` at and above `from` (the end of the log) behind it; those below are here already. */
  | {
      readonly type: 'append'
      readonly from: number
      readonly runs: readonly Run[]
      readonly entries: Entries
    }
  /** Append the mark that opens `epoch`, led by this member. */
  | { readonly type: 'epochStart'; readonly epoch: number; readonly leaderId: number }

/** Read units from `from` on, whole batches, about `bytesMax` but at least one, and step `read` with this epoch. */
export interface Read {
  readonly to: number
  readonly from: number
  readonly bytesMax: number
  readonly epoch: number
}
