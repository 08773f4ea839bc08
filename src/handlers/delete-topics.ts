/** DeleteTopics, by name or by id: answers when the topic is gone. */
import { Refused } from '../base/errors.ts'
import { zeroUuid } from '../base/uuid.ts'
import { DeleteTopics } from '../protocol/apis/delete-topics.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { type Context, handler } from './handler.ts'
import { eachOnce, noError, refusedAsError } from './refusals.ts'

type Answer = ResponseInput<typeof DeleteTopics>['responses'][number]
interface Asked {
  readonly name: string | null
  readonly topicId: string
}

export const deleteTopics = handler(DeleteTopics, async (request, context) => {
  const { topics } = context.broker.image
  const asked: Asked[] = [
    ...request.topicNames.map((name) => ({ name, topicId: zeroUuid })),
    ...request.topics.map(({ name, topicId }) => ({ name, topicId })),
  ]
  // One topic under its name and its id counts as twice, too.
  const keyOf = ({ name, topicId }: Asked) => (name === null ? topicId : (topics.byName(name)?.id ?? name))
  const responses = eachOnce(asked, keyOf, (topic, isTwice) =>
    refusedAsError(
      () => remove(topic, isTwice, context),
      (error): Answer => ({ ...topic, ...error }),
    ),
  )
  return { responses: await Promise.all(responses) }
})

async function remove({ name, topicId }: Asked, isTwice: boolean, { broker }: Context): Promise<Answer> {
  if (!broker.settings.get('delete.topic.enable')) {
    throw new Refused('TOPIC_DELETION_DISABLED', 'this broker runs with delete.topic.enable=false')
  }
  if ((name === null) === (topicId === zeroUuid)) {
    throw new Refused('INVALID_REQUEST', 'a topic is named by its name or by its id: one of the two')
  }
  if (isTwice) throw new Refused('INVALID_REQUEST', `topic '${name ?? topicId}' is named more than once`)
  const { topics } = broker.image
  const topic = name === null ? topics.byId(topicId) : topics.byName(name)
  if (topic === undefined) throw unknown(name, topicId)
  try {
    await broker.controller.deleteTopic(topic.id)
  } catch (error) {
    // Somebody else was faster.
    if (error instanceof Refused && error.code === 'UNKNOWN_TOPIC_ID') throw unknown(name, topicId)
    throw error
  }
  return { ...noError, name: topic.name, topicId: topic.id }
}

function unknown(name: string | null, topicId: string): Refused {
  return name === null
    ? new Refused('UNKNOWN_TOPIC_ID', `there is no topic with id ${topicId}`)
    : new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`)
}
