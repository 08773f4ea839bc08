/** CreateTopics: answers when every partition of a new topic has a leader that serves. */
import { Refused } from '../base/errors.ts'
import { zeroUuid } from '../base/uuid.ts'
import { isInternalTopic } from '../broker/internal-topics.ts'
import { CreateTopics } from '../protocol/apis/create-topics.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { describeTopic } from './config-entries.ts'
import { type Context, handler } from './handler.ts'
import { eachOnce, noError, refusedAsError } from './refusals.ts'

type Request = RequestOf<typeof CreateTopics>
type Asked = Request['topics'][number]
type Answer = ResponseInput<typeof CreateTopics>['topics'][number]

export const createTopics = handler(CreateTopics, async (request, context) => {
  const topics = eachOnce(
    request.topics,
    ({ name }) => name,
    (asked, isTwice) =>
      refusedAsError(
        () => create(asked, isTwice, request.validateOnly, context),
        (error): Answer => ({ ...error, name: asked.name, topicId: zeroUuid, configs: [] }),
      ),
  )
  return { topics: await Promise.all(topics) }
})

async function create(
  asked: Asked,
  isTwice: boolean,
  validateOnly: boolean,
  context: Context,
): Promise<Answer> {
  const { broker } = context
  if (isTwice)
    throw new Refused('INVALID_REQUEST', `topic '${asked.name}' is named more than once in this request`)
  if (isInternalTopic(asked.name) && broker.image.topics.byName(asked.name) === undefined) {
    throw new Refused(
      'INVALID_TOPIC_EXCEPTION',
      `topic '${asked.name}' is internal: the broker makes it itself`,
    )
  }
  const hasAssignment = asked.assignments.length > 0
  if (hasAssignment && (asked.numPartitions !== -1 || asked.replicationFactor !== -1)) {
    throw new Refused(
      'INVALID_REQUEST',
      'with replicas assigned by hand, numPartitions and replicationFactor must be -1',
    )
  }
  const created = await broker.controller.createTopic({
    name: asked.name,
    partitions: asked.numPartitions === -1 ? broker.settings.get('num.partitions') : asked.numPartitions,
    replicationFactor:
      asked.replicationFactor === -1
        ? broker.settings.get('default.replication.factor')
        : asked.replicationFactor,
    assignment: hasAssignment ? assignmentOf(asked) : null,
    configs: configsOf(asked),
    validateOnly,
  })
  const entries = describeTopic(broker.settings, configsOf(asked), null)
  return {
    ...noError,
    name: created.name,
    topicId: validateOnly ? zeroUuid : created.id,
    numPartitions: created.partitions,
    replicationFactor: created.replicationFactor,
    configs: entries.map(({ name, value, readOnly, configSource, isSensitive }) => ({
      name,
      value,
      readOnly,
      configSource,
      isSensitive,
    })),
  }
}

function assignmentOf(asked: Asked): number[][] {
  const assignment: number[][] = []
  for (const { partitionIndex, brokerIds } of asked.assignments) assignment[partitionIndex] = brokerIds
  const count = asked.assignments.length
  for (let index = 0; index < count; index++) {
    if (assignment[index] === undefined || assignment.length !== count) {
      throw new Refused(
        'INVALID_REPLICA_ASSIGNMENT',
        `partitions must be numbered from 0 to ${count - 1}, each once`,
      )
    }
  }
  return assignment
}

function configsOf(asked: Asked): Map<string, string> {
  const configs = new Map<string, string>()
  for (const { name, value } of asked.configs) {
    if (value === null) throw new Refused('INVALID_CONFIG', `setting '${name}' needs a value`)
    configs.set(name, value)
  }
  return configs
}
