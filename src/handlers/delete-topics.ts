/** DeleteTopics, by name or by id: answers when the topic is gone. */
import { Refused } from '../base/errors.ts'
import { zeroUuid } from '../base/uuid.ts'
import { DeleteTopics } from '../protocol/apis/delete-topics.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { type Context, handler } from './handler.ts'
import { noError, refusedAsError } from './refusals.ts'

type Answer = ResponseInput<typeof DeleteTopics>['responses'][number]
interface Asked {
  readonly name: string | null
  readonly topicId: string
}

export const deleteTopics = handler(DeleteTopics, async (request, context) => {
  const asked: Asked[] = [
    ...request.topicNames.map((name) => ({ name, topicId: zeroUuid })),
    ...request.topics.map(({ name, topicId }) => ({ name, topicId })),
  ]
  const responses = asked.map((topic) =>
    refusedAsError(
      () => remove(topic, context),
      (error): Answer => ({ ...topic, ...error }),
    ),
  )
  return { responses: await Promise.all(responses) }
})

async function remove({ name, topicId }: Asked, { broker }: Context): Promise<Answer> {
  if (!broker.settings.get('delete.topic.enable')) {
    throw new Refused('TOPIC_DELETION_DISABLED', 'this broker runs with delete.topic.enable=false')
  }
  if ((name === null) === (topicId === zeroUuid)) {
    throw new Refused('INVALID_REQUEST', 'a topic is named by its name or by its id: one of the two')
  }
  const { topics } = broker.image
  const topic = name === null ? topics.byId(topicId) : topics.byName(name)
  if (topic === undefined) {
    throw name === null
      ? new Refused('UNKNOWN_TOPIC_ID', `there is no topic with id ${topicId}`)
      : new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`)
  }
  await broker.controller.deleteTopic(topic.id)
  return { ...noError, name: topic.name, topicId: topic.id }
}
