/** CreatePartitions: answers when the added partitions serve. */
import { Refused } from '../base/errors.ts'
import { CreatePartitions } from '../protocol/apis/create-partitions.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { type Context, handler } from './handler.ts'
import { eachOnce, noError, refusedAsError } from './refusals.ts'

type Asked = RequestOf<typeof CreatePartitions>['topics'][number]
type Answer = ResponseInput<typeof CreatePartitions>['results'][number]

export const createPartitions = handler(CreatePartitions, async (request, context) => {
  const results = eachOnce(
    request.topics,
    ({ name }) => name,
    (asked, isTwice) =>
      refusedAsError(
        () => add(asked, isTwice, request.validateOnly, context),
        (error): Answer => ({ name: asked.name, ...error }),
      ),
  )
  return { results: await Promise.all(results) }
})

async function add(asked: Asked, isTwice: boolean, validateOnly: boolean, context: Context): Promise<Answer> {
  if (isTwice)
    throw new Refused('INVALID_REQUEST', `topic '${asked.name}' is named more than once in this request`)
  await context.broker.controller.createPartitions({
    topic: asked.name,
    count: asked.count,
    assignment: asked.assignments === null ? null : asked.assignments.map(({ brokerIds }) => brokerIds),
    validateOnly,
  })
  return { ...noError, name: asked.name }
}
