/**
 * What goes into the core: what others say, what the clock says, and what became of the I/O that a `Ready` asked for.
 * Times are monotonic milliseconds.
 */
import type { PlacedMembership } from './membership.ts'
import type { Message } from './message.ts'

export type Event<Entries> =
  /** The ticker. Only needed at or after `deadlineMs`; more often is harmless. */
  | { readonly type: 'tick'; readonly nowMs: number }
  | {
      readonly type: 'receive'
      readonly from: number
      readonly message: Message<Entries>
      readonly nowMs: number
    }
  /** On the leader: so many units were put behind the end of the log, in the leader's epoch. */
  | { readonly type: 'proposed'; readonly units: number }
  /**
   * A sync has finished: everything below `position` survives a crash. `truncations` is what the core said when the sync
   * began; if the log was cut since, the answer is about another log and is ignored.
   */
  | { readonly type: 'durable'; readonly position: number; readonly truncations: number }
  /** `Ready.ballot` of this epoch is durable. */
  | { readonly type: 'balloted'; readonly epoch: number; readonly nowMs: number }
  /** What `Ready.reads` asked for. Units [from, until), `bytes` large. Stale ones are dropped. */
  | {
      readonly type: 'read'
      readonly to: number
      readonly from: number
      readonly until: number
      readonly bytes: number
      readonly entries: Entries
      readonly epoch: number
    }
  /** Stand for election now (through a pre-vote), without waiting for the timer. */
  | { readonly type: 'campaign'; readonly nowMs: number }
  /**
   * Does this member still lead? `question` rises; `Ready.confirmed` answers it, or its role is another one before. Only asked of a
   * leader that is ready.
   */
  | { readonly type: 'confirm'; readonly question: number; readonly nowMs: number }
  /** On the leader: hand over to that voter, as soon as it has everything. Ends by itself after an election timeout. */
  | { readonly type: 'transfer'; readonly to: number; readonly nowMs: number }
  /**
   * On the leader: from now on these are the voters. Newcomers are brought up to date first. Nothing happens while another change
   * is under way: see `Raft.change`.
   */
  | { readonly type: 'changeVoters'; readonly voters: readonly number[]; readonly nowMs: number }
  /** On the leader: gives up a change that has not been appended yet. */
  | { readonly type: 'abandonChange' }
  /** On the leader: these receive the log and do not count. */
  | { readonly type: 'observers'; readonly observers: readonly number[]; readonly nowMs: number }
  /** That voter is here with another disk than the one that was promised with, or with the right one again. */
  | { readonly type: 'estranged'; readonly peer: number; readonly isEstranged: boolean }
  /** The log is about to be replaced: see ready.ts. */
  | { readonly type: 'installing'; readonly nowMs: number }
  /** It was: it is empty, durable, and begins at `position`, in front of which lies a unit of `positionEpoch`. */
  | {
      readonly type: 'reset'
      readonly position: number
      readonly positionEpoch: number
      readonly membership: PlacedMembership
    }
  /**
   * The pulses of a peer come again, and ours are answered: they stand for the word that it gave in this session. Else `peerUnwell`: they
   * do not come any more, or another session has begun. It was last heard at `heardMs`, and had then answered what left at `contactMs`.
   */
  | { readonly type: 'peerWell'; readonly peer: number; readonly session: number }
  | {
      readonly type: 'peerUnwell'
      readonly peer: number
      readonly heardMs: number
      readonly contactMs: number
    }
  /** Nobody listens where the peer did: its process has ended. Only a hint: nothing follows from it but that it is not waited for. */
  | { readonly type: 'peerGone'; readonly peer: number; readonly nowMs: number }
  /** This broker's session is over, and so is the word that was given in it. */
  | { readonly type: 'renounced' }
  /** The connection to a peer broke: what was sent may be lost. */
  | { readonly type: 'peerLost'; readonly peer: number }
  /** The log has forgotten what lies below `position`, all of it committed. */
  | { readonly type: 'trimmed'; readonly position: number }
