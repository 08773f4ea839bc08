/** OffsetDelete: offsets of topics that the group does not subscribe to. */
import { OffsetDelete } from '../protocol/apis/offset-delete.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { askCoordinator, checkGroupId } from './group-refusals.ts'
import { handler } from './handler.ts'
import { partitionErrors } from './partition-errors.ts'

export const offsetDelete = handler(OffsetDelete, async (request, context) => {
  const { groupId } = request
  const known = request.topics.filter(({ name }) => context.broker.image.topics.byName(name) !== undefined)
  if (known.length === 0 && request.topics.length > 0) {
    return { errorCode: 0, topics: partitionErrors(request.topics, { topics: [] }) }
  }
  return await askCoordinator<ResponseInput<typeof OffsetDelete>>(
    context,
    groupId,
    async (coordinator) => {
      checkGroupId(groupId)
      const verdicts = await coordinator.execute({
        type: 'deleteOffsets',
        groupId,
        topics: known.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => partitionIndex),
        })),
      })
      return { errorCode: 0, topics: partitionErrors(request.topics, verdicts) }
    },
    (errorCode) => ({ errorCode, topics: [] }),
  )
})
