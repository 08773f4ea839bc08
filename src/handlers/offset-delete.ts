/** OffsetDelete: offsets of topics that the group does not subscribe to. */
import { OffsetDelete } from '../protocol/apis/offset-delete.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { askCoordinator, checkGroupId } from './group-refusals.ts'
import { handler } from './handler.ts'
import { partitionErrors } from './partition-errors.ts'

export const offsetDelete = handler(OffsetDelete, async (request, context) => {
  const { groupId } = request
  const partitionsOf = (topic: string) => context.broker.image.topics.byName(topic)?.placements.length ?? 0
  const known = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions
      .map(({ partitionIndex }) => partitionIndex)
      .filter((index) => index >= 0 && index < partitionsOf(name)),
  }))
  return await askCoordinator<ResponseInput<typeof OffsetDelete>>(
    context,
    groupId,
    async (coordinator) => {
      checkGroupId(groupId)
      const verdicts = await coordinator.execute({ type: 'deleteOffsets', groupId, topics: known })
      return { errorCode: 0, topics: partitionErrors(request.topics, verdicts) }
    },
    (errorCode) => ({ errorCode, topics: [] }),
  )
})
