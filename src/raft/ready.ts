/**
 * What comes out of the core: one value, whose fields are the durability rule. The driver
 *
 *   1. applies `operations` to the log, in order, at once (in memory; a write and a sync follow when it likes);
 *   2. when there is a `ballot`, makes it durable, then steps `balloted`;
 *   3. sends `messages` whenever it likes, in parallel with the disk: they promise nothing;
 *   4. sends `promises` only when the ballots of this and of every earlier Ready are durable;
 *   5. reads for followers what `reads` asks, and steps `read`;
 *   6. sends a piece of an image (or of none) for each of `installs`, as an Install message of this epoch;
 *   7. gathers `pieces`, answers each but the last with Installed, and when an image is whole: steps `installing`, replaces the log by an empty
 *      one that begins where the image says, durably, and steps `reset`.
 *
 * What needs a durable log (a follower's word that it holds units, the leader's own share of the high watermark) is not in
 * here until the driver has stepped `durable`. (etcd's two queues, msgs and msgsAfterAppend.)
 */
import type { Envelope, Install, Run } from './message.ts'

export interface Ready<Entries> {
  readonly operations: readonly Operation<Entries>[]
  readonly ballot: Ballot | null
  readonly messages: readonly Envelope<Entries>[]
  readonly promises: readonly Envelope<Entries>[]
  readonly reads: readonly Read[]
  readonly installs: readonly InstallRequest[]
  readonly pieces: readonly Install[]
  /** This member led when this question, and all before it, had been asked: see 'confirm' in event.ts. -1: nothing new. */
  readonly confirmed: number
  /** This member cannot stand by the word that it has given (see heartbeats.ts): the broker's session has to end. */
  readonly renounced: boolean
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
  /** Append the mark of a configuration, of this epoch. */
  | { readonly type: 'voters'; readonly voters: readonly number[]; readonly outgoing: readonly number[] }

/** What that follower lacks is gone from here. `position` -1: begin; else it has `received` bytes of the image at that position. */
export interface InstallRequest {
  readonly to: number
  readonly position: number
  readonly received: number
  readonly epoch: number
}

/** Read units from `from` on, whole batches, about `bytesMax` but at least one, and step `read` with this epoch. */
export interface Read {
  readonly to: number
  readonly from: number
  readonly bytesMax: number
  readonly epoch: number
}
