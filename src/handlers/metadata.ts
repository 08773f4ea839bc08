/** Metadata: who leads what; a named topic that is missing may be made (auto.create.topics.enable). */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import { zeroUuid } from '../base/uuid.ts'
import type { Broker } from '../broker/broker.ts'
import { isInternalTopic } from '../broker/internal-topics.ts'
import type { Topic } from '../machines/cluster/state.ts'
import { topicNameFault } from '../machines/cluster/topic-name.ts'
import { Metadata } from '../protocol/apis/metadata.ts'
import type { RequestOf, ResponseInput } from '../protocol/notation.ts'
import { clusterOperations, operationsOmitted, topicOperations } from './authorized-operations.ts'
import { type Context, handler } from './handler.ts'
import { partitionState } from './partition-state.ts'
import { eachOnce } from './refusals.ts'
import { topicsInForce } from './topics-in-force.ts'

type Request = RequestOf<typeof Metadata>
type Response = ResponseInput<typeof Metadata>
type TopicAnswer = Response['topics'][number]
type AskedTopic = NonNullable<Request['topics']>[number]

export const metadata = handler(Metadata, async (request, context): Promise<Response> => {
  const { broker } = context
  const operations = request.includeTopicAuthorizedOperations ? topicOperations : operationsOmitted
  const once = eachOnce(
    request.topics ?? [],
    ({ name, topicId }) => `${topicId} ${name}`,
    (asked) => asked,
  )
  await topicsInForce(broker, namesOf(broker, asksForAll(request, context) ? null : once))
  const topics = asksForAll(request, context)
    ? [...broker.image.topics.all()].map((topic) => answer(broker, topic, operations))
    : await Promise.all(once.map((asked) => answerAsked(asked, request, context, operations)))
  return {
    brokers: brokersOf(broker),
    clusterId: broker.clusterId,
    controllerId: controllerOf(broker),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? clusterOperations
      : operationsOmitted,
  }
})

/** null for all. */
function namesOf(broker: Broker, asked: readonly AskedTopic[] | null): string[] | null {
  const { topics } = broker.image
  return asked?.map(({ name, topicId }) => name ?? topics.byId(topicId)?.name ?? '') ?? null
}

/** Version 0 knows no null: its empty list means all. */
function asksForAll(request: Request, context: Context): boolean {
  return request.topics === null || (context.version === 0 && request.topics.length === 0)
}

/** Those that can be reached: clients ask any of them. */
export function brokersOf(broker: Broker) {
  return [...broker.image.brokers.values()]
    .filter(({ id }) => broker.isAlive(id))
    .map(({ id, rack }) => {
      const { host, port } = broker.endpoint(id) ?? { host: '', port: 0 }
      return { nodeId: id, host, port, rack }
    })
    .sort((a, b) => a.nodeId - b.nodeId)
}

/** Clients look for it among the brokers. */
export function controllerOf(broker: Broker): number {
  return broker.isAlive(broker.controllerId) ? broker.controllerId : -1
}

async function answerAsked(
  asked: AskedTopic,
  request: Request,
  context: Context,
  operations: number,
): Promise<TopicAnswer> {
  const { broker, version } = context
  const { topics } = broker.image
  // Versions 10 and 11 answer ids, only 12 takes them (KAFKA-14495): who names an id wants that topic, whatever its name.
  if (version >= 12 && asked.topicId !== zeroUuid) {
    const topic = topics.byId(asked.topicId)
    if (topic !== undefined) return answer(broker, topic, operations)
    return unknown(null, asked.topicId, 'UNKNOWN_TOPIC_ID')
  }
  if (asked.name === null) return unknown(version >= 12 ? null : '', asked.topicId, 'INVALID_REQUEST')
  const known = topics.byName(asked.name)
  if (known !== undefined) return answer(broker, known, operations)
  if (topicNameFault(asked.name) !== null) return unknown(asked.name, zeroUuid, 'INVALID_TOPIC_EXCEPTION')
  const mayCreate = request.allowAutoTopicCreation && broker.settings.get('auto.create.topics.enable')
  if (!mayCreate || isInternalTopic(asked.name))
    return unknown(asked.name, zeroUuid, 'UNKNOWN_TOPIC_OR_PARTITION')
  const refused = await create(broker, asked.name)
  // Also when it was refused: another request may have made it between our look and the decision.
  const created = topics.byName(asked.name)
  if (created !== undefined) return answer(broker, created, operations)
  return unknown(asked.name, zeroUuid, refused?.code ?? 'UNKNOWN_TOPIC_OR_PARTITION')
}

/**
 * Kafka answers "unknown" and lets the client ask again; here the topic serves when the answer leaves, which also helps
 * clients that do not retry.
 */
async function create(broker: Broker, name: string): Promise<Refused | null> {
  try {
    await broker.controller.createTopic({
      name,
      partitions: broker.settings.get('num.partitions'),
      replicationFactor: broker.settings.get('default.replication.factor'),
      assignment: null,
      configs: new Map(),
      validateOnly: false,
    })
    return null
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return error
  }
}

function unknown(name: string | null, topicId: string, error: ErrorName): TopicAnswer {
  const isInternal = name !== null && isInternalTopic(name)
  return { errorCode: errorCode(error), name, topicId, isInternal, partitions: [] }
}

function answer(broker: Broker, topic: Topic, operations: number): TopicAnswer {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.placements.map((_, index) => partitionAnswer(broker, topic, index)),
    topicAuthorizedOperations: operations,
  }
}

function partitionAnswer(broker: Broker, topic: Topic, index: number) {
  const { leaderId, epoch, replicas, isr, offline } = partitionState(broker, topic, index)
  return {
    errorCode: leaderId < 0 ? errorCode('LEADER_NOT_AVAILABLE') : 0,
    partitionIndex: index,
    leaderId,
    leaderEpoch: epoch,
    replicaNodes: replicas,
    isrNodes: isr,
    offlineReplicas: offline,
  }
}
