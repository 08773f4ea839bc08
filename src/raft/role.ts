/** What a role is to the core, and how a role asks for another one. One instance lives as long as one stay in the role. */
import type { Message } from './message.ts'

export interface Role<Entries> {
  readonly name: 'follower' | 'candidate' | 'leader'
  /** -1 when unknown. */
  readonly leaderId: number
  /** When it next wants a tick; Infinity for never. */
  readonly deadlineMs: number
  /** True while a live leader is known (itself, or heard of a moment ago): then nobody is helped into an election. */
  hasLeader(nowMs: number): boolean
  tick(nowMs: number): void
  /** `message` is of this member's epoch. */
  receive(from: number, message: Message<Entries>, nowMs: number): void
  /** More of the log is durable. */
  durable(): void
  /** The end of a turn: says once what the turn has added up to. */
  flush(): void
}

export interface Transitions {
  /** `leaderId` -1: unknown. Enters `epoch` when it is newer. */
  follow(epoch: number, leaderId: number, nowMs: number): void
  campaign(kind: Campaign, nowMs: number): void
  lead(nowMs: number): void
}

/** 'preVote' asks first; 'vote' follows when that is won; 'transfer' votes at once, because the leader said so. */
export type Campaign = 'preVote' | 'vote' | 'transfer'
