import type { Log } from '../log/log.ts'
import type { Event } from '../raft/event.ts'
import type { Message } from '../raft/message.ts'
import type { Raft } from '../raft/raft.ts'
import type { BallotFile } from './ballot-file.ts'
import type { Entries } from './entries.ts'
import type { Identities } from './identities.ts'
import type { Member } from './member.ts'
import type { Replica, ReplicaSettings } from './replica.ts'
import type { ReplicaEvent } from './replica-event.ts'
import type { SlowLeaderSettings } from './slow-leader.ts'
import type { SyncQueue } from './sync-queue.ts'
import type { WatermarkFile } from './watermark-file.ts'

/** What a member needs of its host. */
export interface Surroundings {
  readonly syncs: SyncQueue
  nowMs(): number
  /** Have `drain` called at the end of this turn. */
  stir(member: Member): void
  /** Have `flushDue` called in so many milliseconds, or somewhat later. */
  flushIn(member: Member, delayMs: number): void
  post(to: number, replica: string, message: Message<Entries>): void
  forget(member: Member): void
  /** The end of a member's turn: it may want the ticker, or not any more. */
  turned(member: Member): void
  /** A member cannot stand by the word that it gave to others: see pulses.ts. */
  renounce(): void
  onEvent(event: ReplicaEvent): void
}

/** Time passes, what was sent is lost. */
export type HostEvent = Extract<Event<Entries>, { type: 'tick' | 'peerLost' }>
/** See pulses.ts. Nothing follows but another time at which a tick is wanted. */
export type PulseEvent = Extract<
  Event<Entries>,
  { type: 'peerWell' | 'peerUnwell' | 'peerGone' | 'renounced' }
>

export interface MemberOptions {
  readonly name: string
  readonly log: Log
  readonly raft: Raft<Entries>
  readonly ballotFile: BallotFile
  readonly watermarkFile: WatermarkFile
  readonly identities: Identities
  /** One piece of an image, and the largest image. */
  readonly images: { readonly pieceBytes: number; readonly bytesMax: number }
  readonly hasMachine: boolean
  readonly settings: ReplicaSettings
  /** null: it leads however slow its disk is. */
  readonly slowLeader: SlowLeaderSettings | null
  readonly surroundings: Surroundings
}

/** What the listeners heard last. */
export interface Told {
  readonly role: Replica['role'] | ''
  readonly epoch: number
  readonly isReady: boolean
  readonly leaderId: number
  readonly start: number
}
