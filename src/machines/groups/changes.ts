/** What the groups machine replicates. Kinds and layouts are for ever; a new field is a new version of its layout. */
import { array, bytes, int32, int64, layout, string } from '../../protocol/notation.ts'
import { changeCodec } from '../change-codec.ts'
import type { TopicPartitions } from './commands.ts'
import type { Membership, StoredMember } from './state.ts'

export type GroupChange =
  /** A generation has its assignment, or the group has become Empty. */
  | { readonly type: 'groupStored'; readonly groupId: string; readonly membership: Membership }
  /** With its offsets. */
  | { readonly type: 'groupDeleted'; readonly groupId: string }
  | {
      readonly type: 'offsetsCommitted'
      readonly groupId: string
      readonly committedMs: number
      readonly expireMs: number
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
  | { readonly type: 'offsetsDeleted'; readonly groupId: string; readonly topics: TopicPartitions }
  /** In all groups. */
  | { readonly type: 'topicsForgotten'; readonly names: readonly string[] }

const v0 = { versions: [0, 0], flexible: 0 } as const

export const membershipShape = {
  generation: int32,
  protocolType: string.nullable,
  protocol: string.nullable,
  leader: string.nullable,
  changedMs: int64,
  members: array({
    id: string,
    instanceId: string.nullable,
    clientId: string,
    clientHost: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32,
    metadata: bytes,
    assignment: bytes,
  }),
} as const

/** Decoded bytes are slices of a batch or an image: what stays in memory must not hold on to all of that. */
export function ownMembership(membership: Membership): Membership {
  const members = membership.members.map(
    (member): StoredMember => ({
      ...member,
      metadata: Buffer.from(member.metadata),
      assignment: Buffer.from(member.assignment),
    }),
  )
  return { ...membership, members }
}

const same = <T>(fields: T): T => fields

export const groupChanges = changeCodec<GroupChange>({
  groupStored: {
    kind: 1,
    layout: layout({ groupId: string, ...membershipShape }, { ...v0, name: 'groupStored' }),
    toWire: ({ groupId, membership }) => ({ groupId, ...membership }),
    fromWire: ({ groupId, ...membership }: { groupId: string } & Membership) => ({
      groupId,
      membership: ownMembership(membership),
    }),
  },
  groupDeleted: {
    kind: 2,
    layout: layout({ groupId: string }, { ...v0, name: 'groupDeleted' }),
    toWire: same,
    fromWire: same,
  },
  offsetsCommitted: {
    kind: 3,
    layout: layout(
      {
        groupId: string,
        committedMs: int64,
        expireMs: int64,
        topics: array({
          name: string,
          partitions: array({ index: int32, offset: int64, leaderEpoch: int32, metadata: string }),
        }),
      },
      { ...v0, name: 'offsetsCommitted' },
    ),
    toWire: same,
    fromWire: same,
  },
  offsetsDeleted: {
    kind: 4,
    layout: layout(
      { groupId: string, topics: array({ name: string, partitions: array(int32) }) },
      { ...v0, name: 'offsetsDeleted' },
    ),
    toWire: same,
    fromWire: same,
  },
  topicsForgotten: {
    kind: 5,
    layout: layout({ names: array(string) }, { ...v0, name: 'topicsForgotten' }),
    toWire: same,
    fromWire: same,
  },
})
