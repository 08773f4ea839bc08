/** DescribeConfigs of topics and brokers. */
import { Refused } from '../base/errors.ts'
import { topicNameFault } from '../machines/cluster/topic-name.ts'
import { DescribeConfigs } from '../protocol/apis/describe-configs.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { type ConfigEntry, describeBroker, describeBrokerDefaults, describeTopic } from './config-entries.ts'
import { brokerOf, resourceType } from './config-resources.ts'
import { type Context, handler } from './handler.ts'
import { noError, refusedAsError } from './refusals.ts'

type Asked = RequestOf<typeof DescribeConfigs>['resources'][number]
type Answer = ResponseInput<typeof DescribeConfigs>['results'][number]

export const describeConfigs = handler(DescribeConfigs, async (request, context) => {
  const results = request.resources.map((asked) => {
    const { resourceType, resourceName } = asked
    return refusedAsError(
      async (): Promise<Answer> => ({
        ...noError,
        resourceType,
        resourceName,
        configs: entriesOf(asked, context).map(({ synonyms, documentation, ...rest }) => ({
          ...rest,
          synonyms: request.includeSynonyms ? synonyms : [],
          documentation: request.includeDocumentation ? documentation : null,
        })),
      }),
      (error): Answer => ({ ...error, resourceType, resourceName, configs: [] }),
    )
  })
  return { results: await Promise.all(results) }
})

function entriesOf(asked: Asked, { broker }: Context): ConfigEntry[] {
  // An empty list means all, too: Kafka's answer, whatever its documentation says.
  const keys = asked.configurationKeys?.length === 0 ? null : asked.configurationKeys
  if (asked.resourceType === resourceType.topic) {
    const topic = broker.image.topics.byName(asked.resourceName)
    const fault = topicNameFault(asked.resourceName)
    if (fault !== null) throw new Refused('INVALID_TOPIC_EXCEPTION', fault)
    if (topic === undefined) {
      throw new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${asked.resourceName}'`)
    }
    return describeTopic(broker.settings, topic.configs, keys)
  }
  const which = brokerOf(asked, broker)
  return which === ''
    ? describeBrokerDefaults(broker.image.brokerConfigs.get('') ?? new Map(), keys)
    : describeBroker(broker.settings, keys)
}
