/**
 * What one groups machine knows. `groups` is replicated: the same on every replica and after every restart. The rest is the
 * memory of the coordinator that leads: members that join, parked requests, sessions. The two never overlap: `live` starts
 * from `groups` and goes back into it by changes alone.
 */
import { KeyedHeap } from '../../base/heap.ts'
import type { Group } from './group.ts'

export interface GroupsState {
  readonly groups: Map<string, GroupRecord>

  /** Groups with members, or with ids given out; any other group is its record. */
  readonly live: Map<string, Group>
  /** When each live group wants attention at the earliest, in monotonic ms: a lower bound, for sessions are renewed often. */
  readonly alarms: KeyedHeap<string>
  sweep: Sweep
}

export interface GroupRecord {
  membership: Membership
  readonly offsets: Offsets
}

/** Committed offsets by topic name and partition. */
export type Offsets = Map<string, Map<number, CommittedOffset>>

export interface CommittedOffset {
  readonly offset: number
  /** -1 when the client named none. */
  readonly leaderEpoch: number
  readonly metadata: string
  /** Wall clock. */
  readonly committedMs: number
  /** Wall clock at which the client lets it expire (retention time of OffsetCommit 2 to 4); -1 for the broker's rule. */
  readonly expireMs: number
}

/** The last generation that had an assignment, or the fact that there is none. */
export interface Membership {
  readonly generation: number
  /** null: a simple group, made by commits of consumers without membership. */
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly leader: string | null
  /** Wall clock of the last transition: from here on an Empty group's offsets age (KIP-211). */
  readonly changedMs: number
  readonly members: readonly StoredMember[]
}

export interface StoredMember {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly metadata: Buffer
  readonly assignment: Buffer
}

/** The look for expired offsets, a slice at a time. */
export interface Sweep {
  /** Monotonic ms; Infinity on a member that does not lead. */
  readonly nextMs: number
  /** Groups to look at in this round, from `position` on. */
  readonly groupIds: readonly string[]
  readonly position: number
}

export const noSweep: Sweep = { nextMs: Number.POSITIVE_INFINITY, groupIds: [], position: 0 }

export function emptyGroupsState(): GroupsState {
  return { groups: new Map(), live: new Map(), alarms: new KeyedHeap(), sweep: noSweep }
}

export const simpleMembership: Membership = {
  generation: 0,
  protocolType: null,
  protocol: null,
  leader: null,
  changedMs: -1,
  members: [],
}
