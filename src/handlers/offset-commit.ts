/** OffsetCommit: partitions that exist go to the coordinator in one piece; the others get their error here. */
import type { ErrorName } from '../base/error-codes.ts'
import type { CommitOffsetsCommand, PartitionErrors } from '../machines/groups/commands.ts'
import { OffsetCommit } from '../protocol/apis/offset-commit.ts'
import type { RequestOf } from '../protocol/notation.ts'
import { askCoordinator } from './group-refusals.ts'
import { type Context, handler } from './handler.ts'
import { partitionErrors } from './partition-errors.ts'

type Request = RequestOf<typeof OffsetCommit>

export const offsetCommit = handler(OffsetCommit, async (request, context) => {
  const command = commandOf(request, context)
  // Nothing to commit is no reason to make a group.
  if (command.topics.length === 0) return { topics: partitionErrors(request.topics, { topics: [] }) }
  const verdicts = await askCoordinator<PartitionErrors>(
    context,
    request.groupId,
    async (coordinator) => await coordinator.execute(command),
    (_errorCode, error) => ({
      topics: command.topics.map((topic) => refuse(topic, errorOf(error, context))),
    }),
  )
  return { topics: partitionErrors(request.topics, verdicts) }
})

function commandOf(request: Request, { broker }: Context): CommitOffsetsCommand {
  const partitionsOf = (topic: string) => broker.image.topics.byName(topic)?.placements.length ?? 0
  return {
    type: 'commitOffsets',
    groupId: request.groupId,
    generation: request.generationIdOrMemberEpoch,
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    retentionMs: request.retentionTimeMs < 0 ? null : request.retentionTimeMs,
    topics: request.topics
      .map(({ name, partitions }) => ({
        name,
        partitions: partitions
          .filter(({ partitionIndex: index }) => index >= 0 && index < partitionsOf(name))
          .map((partition) => ({
            index: partition.partitionIndex,
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata: partition.committedMetadata ?? '',
          })),
      }))
      .filter(({ partitions }) => partitions.length > 0),
  }
}

/** Before version 9 a member of a group that is gone hears of its generation, which it knows how to handle. */
function errorOf(error: ErrorName, { version }: Context): ErrorName {
  return error === 'GROUP_ID_NOT_FOUND' && version < 9 ? 'ILLEGAL_GENERATION' : error
}

type CommittedTopic = CommitOffsetsCommand['topics'][number]

function refuse({ name, partitions }: CommittedTopic, error: ErrorName): PartitionErrors['topics'][number] {
  return { name, partitions: partitions.map(({ index }) => ({ index, error })) }
}
