/** AlterPartitionReassignments: partitions begin to move to other brokers, or are called back. */
import { Refused } from '../base/errors.ts'
import { AlterPartitionReassignments } from '../protocol/apis/alter-partition-reassignments.ts'
import type { RequestOf } from '../protocol/notation.ts'
import { type Context, handler } from './handler.ts'
import { inWaves } from './in-waves.ts'
import { type ErrorFields, eachOnce, noError, refusedAsError } from './refusals.ts'
import { byTopic } from './topic-rows.ts'

type Request = RequestOf<typeof AlterPartitionReassignments>

interface Asked {
  readonly topic: string
  readonly index: number
  readonly replicas: readonly number[] | null
}

export const alterPartitionReassignments = handler(AlterPartitionReassignments, async (request, context) => {
  const asked = request.topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex: index, replicas }): Asked => ({ topic, index, replicas })),
  )
  const once = eachOnce(
    asked,
    ({ topic, index }) => `${topic} ${index}`,
    (one, isTwice) => ({ ...one, isTwice }),
  )
  const answers = await inWaves(once, async (one) => ({
    ...one,
    error: await refusedAsError(
      () => move(one, request, context),
      (error): ErrorFields => error,
    ),
  }))
  return {
    allowReplicationFactorChange: request.allowReplicationFactorChange,
    ...noError,
    responses: [...byTopic(answers)].map(([name, rows]) => ({
      name,
      partitions: rows.map(({ index, error }) => ({ partitionIndex: index, ...error })),
    })),
  }
})

async function move(
  { topic: name, index, replicas, isTwice }: Asked & { readonly isTwice: boolean },
  { allowReplicationFactorChange }: Request,
  { broker }: Context,
): Promise<ErrorFields> {
  if (isTwice) {
    throw new Refused('INVALID_REQUEST', `partition ${name}-${index} is named more than once in this request`)
  }
  const topic = broker.image.topics.byName(name)
  if (topic === undefined) throw new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`)
  const present = topic.moves.get(index)?.to ?? topic.placements[index]
  if (present === undefined) {
    throw new Refused('UNKNOWN_TOPIC_OR_PARTITION', `topic '${name}' has no partition ${index}`)
  }
  if (!allowReplicationFactorChange && replicas !== null && replicas.length !== present.length) {
    throw new Refused(
      'INVALID_REPLICATION_FACTOR',
      `${name}-${index} would have ${replicas.length} replicas instead of ${present.length}`,
    )
  }
  await broker.controller.reassign({ topicId: topic.id, index, replicas })
  return noError
}
