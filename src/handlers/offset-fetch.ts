/**
 * OffsetFetch: of one group, of several since version 8. What is not committed answers -1 without an error, whether or not the
 * topic exists. `requireStable` always holds: no transaction can leave an offset pending yet.
 */
import type { FetchedOffsets } from '../machines/groups/commands.ts'
import { OffsetFetch } from '../protocol/apis/offset-fetch.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { askCoordinator } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'

type Response = ResponseInput<typeof OffsetFetch>
type Asked = RequestOf<typeof OffsetFetch>['topics']
type Group = NonNullable<Response['groups']>[number]

export const offsetFetch = handler(OffsetFetch, async (request, context): Promise<Response> => {
  if (context.version >= 8) {
    const groups = request.groups.map(({ groupId, topics }) => fetch(groupId, topics, context))
    return { groups: await Promise.all(groups) }
  }
  const { topics, errorCode } = await fetch(request.groupId, request.topics, context)
  if (context.version >= 2 || errorCode === 0) return { topics, errorCode }
  return { topics: failed(request.topics, errorCode) }
})

async function fetch(
  groupId: string,
  topics: Asked,
  context: Context,
): Promise<Group & { errorCode: number }> {
  return await askCoordinator(
    context,
    groupId,
    async (coordinator) => {
      await context.broker.coordinators.confirm(groupId)
      const asked = topics?.map(({ name, partitionIndexes }) => ({ name, partitions: partitionIndexes }))
      const found = await coordinator.execute({ type: 'fetchOffsets', groupId, topics: asked ?? null })
      return { groupId, topics: found.topics.map(answer), errorCode: 0 }
    },
    (errorCode) => ({ groupId, topics: [], errorCode }),
  )
}

function answer({ name, partitions }: FetchedOffsets['topics'][number]): Group['topics'][number] {
  return {
    name,
    partitions: partitions.map(({ index, offset, leaderEpoch, metadata }) => ({
      partitionIndex: index,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      metadata,
      errorCode: 0,
    })),
  }
}

/** Version 1 has no error of the group: every partition carries it. */
function failed(topics: Asked, errorCode: number): Group['topics'] {
  return (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode,
    })),
  }))
}
