/** All groups and offsets of one machine at an offset of its log. The first two bytes are the version of the layout. */
import { Reader } from '../../base/bytes.ts'
import { Faulted } from '../../base/errors.ts'
import { array, int32, int64, layout, string } from '../../protocol/notation.ts'
import { toBytes } from '../change-codec.ts'
import { membershipShape, ownMembership } from './changes.ts'
import { emptyGroupsState, type GroupsState } from './state.ts'

const imageLayout = layout(
  {
    groups: array({
      groupId: string,
      ...membershipShape,
      topics: array({
        name: string,
        partitions: array({
          index: int32,
          offset: int64,
          leaderEpoch: int32,
          metadata: string,
          committedMs: int64,
          expireMs: int64,
        }),
      }),
    }),
  },
  { versions: [0, 0], flexible: 0, name: 'groups image' },
)

export const groupsImage = {
  encode(state: Readonly<GroupsState>): Buffer {
    const version = Buffer.from([0, imageLayout.max])
    const groups = [...state.groups].map(([groupId, { membership, offsets }]) => ({
      groupId,
      ...membership,
      topics: [...offsets].map(([name, partitions]) => ({
        name,
        partitions: [...partitions].map(([index, committed]) => ({ index, ...committed })),
      })),
    }))
    return Buffer.concat([version, toBytes(imageLayout, { groups })])
  },

  /** @throws Faulted when a newer release wrote it */
  decode(image: Buffer): GroupsState {
    const version = image.readUInt16BE(0)
    if (version > imageLayout.max) {
      throw new Faulted('bytes', `read a groups image of version ${version}: unknown to this release`)
    }
    const reader = new Reader(image.subarray(2))
    const fields = imageLayout.decode(reader, version)
    reader.expectEnd('groups image')
    const state = emptyGroupsState()
    for (const { groupId, topics, ...membership } of fields.groups) {
      const offsets = new Map(
        topics.map(({ name, partitions }) => [
          name,
          new Map(partitions.map(({ index, ...committed }) => [index, committed])),
        ]),
      )
      state.groups.set(groupId, { membership: ownMembership(membership), offsets })
    }
    return state
  },
}
