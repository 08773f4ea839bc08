/** What can be asked of the coordinator of a group, and what it answers. Errors come as Refused with Kafka's code. */
import type { ErrorName } from '../../base/error-codes.ts'
import type { Phase } from './group.ts'
import type { Offer } from './member.ts'

export interface JoinCommand extends Offer {
  readonly type: 'join'
  readonly groupId: string
  /** '' when the client has none yet. */
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
  /** Taken when the member needs a new id; never seen before. */
  readonly freshMemberId: string
  /** The client can be sent back with its new id (KIP-394). */
  readonly canBeSentBack: boolean
  /** The client knows `skipAssignment` (KIP-814). */
  readonly canSkipAssignment: boolean
}

export type JoinReply =
  | {
      readonly type: 'joined'
      readonly memberId: string
      readonly generation: number
      readonly protocolType: string | null
      readonly protocol: string | null
      readonly leader: string
      readonly skipAssignment: boolean
      /** For the leader alone. */
      readonly members: readonly JoinedMember[]
    }
  /** To join again with this id. */
  | { readonly type: 'memberIdRequired'; readonly memberId: string }

export interface JoinedMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly metadata: Buffer
}

export interface SyncCommand {
  readonly type: 'sync'
  readonly groupId: string
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
  /** null: the client does not say (before version 5). */
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

export interface SyncReply {
  readonly protocolType: string | null
  readonly protocol: string | null
  readonly assignment: Buffer
}

export interface HeartbeatCommand {
  readonly type: 'heartbeat'
  readonly groupId: string
  readonly memberId: string
  readonly instanceId: string | null
  readonly generation: number
}

export interface LeaveCommand {
  readonly type: 'leave'
  readonly groupId: string
  /** An empty member id with an instance id: an administrator removes whoever holds it. */
  readonly members: readonly { readonly memberId: string; readonly instanceId: string | null }[]
}

export interface LeaveReply {
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | null
    readonly error: ErrorName
  }[]
}

export interface CommitOffsetsCommand {
  readonly type: 'commitOffsets'
  readonly groupId: string
  /** Below 0 with an empty member id: a consumer without membership, or an administrator. */
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | null
  /** null: the broker's rule. */
  readonly retentionMs: number | null
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly index: number
      readonly offset: number
      readonly leaderEpoch: number
      readonly metadata: string
    }[]
  }[]
}

/** Errors of partitions, in the order of the command. */
export interface PartitionErrors {
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly index: number; readonly error: ErrorName }[]
  }[]
}

/** Topics and partition indexes. */
export type TopicPartitions = readonly { readonly name: string; readonly partitions: readonly number[] }[]

export interface FetchedOffsets {
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly index: number
      /** -1: none is committed. Never 0 for want of a better number. */
      readonly offset: number
      readonly leaderEpoch: number
      readonly metadata: string
    }[]
  }[]
}

export interface GroupDescription {
  readonly groupId: string
  readonly phase: Phase
  readonly protocolType: string
  readonly protocol: string
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly metadata: Buffer
    readonly assignment: Buffer
  }[]
}

export interface GroupListing {
  readonly groupId: string
  readonly protocolType: string
  readonly phase: Phase
}

export type GroupCommand =
  | JoinCommand
  | SyncCommand
  | HeartbeatCommand
  | LeaveCommand
  | CommitOffsetsCommand
  /** `topics` null: all that there are. */
  | { readonly type: 'fetchOffsets'; readonly groupId: string; readonly topics: TopicPartitions | null }
  | { readonly type: 'deleteOffsets'; readonly groupId: string; readonly topics: TopicPartitions }
  | { readonly type: 'describeGroup'; readonly groupId: string }
  | { readonly type: 'listGroups' }
  | { readonly type: 'deleteGroup'; readonly groupId: string }
  /** The topics are deleted: their offsets would be wrong for new ones of the same name. */
  | { readonly type: 'forgetTopics'; readonly names: readonly string[] }
  /** The machine's own: what has run out. */
  | { readonly type: 'tick' }

export type GroupReplies = {
  join: JoinReply
  sync: SyncReply
  heartbeat: null
  leave: LeaveReply
  commitOffsets: PartitionErrors
  fetchOffsets: FetchedOffsets
  deleteOffsets: PartitionErrors
  /** null: there is no such group. */
  describeGroup: GroupDescription | null
  listGroups: readonly GroupListing[]
  deleteGroup: null
  forgetTopics: null
  tick: null
}
