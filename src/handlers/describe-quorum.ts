/** DescribeQuorum: the quorum of the cluster's own log, whose leader is the controller. */
import { errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import { zeroUuid } from '../base/uuid.ts'
import type { Broker } from '../broker/broker.ts'
import type { QuorumDescription, QuorumMember } from '../broker/cluster-quorum.ts'
import { DescribeQuorum } from '../protocol/apis/describe-quorum.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { handler } from './handler.ts'
import { errorFields, noError } from './refusals.ts'

/** Kafka's name for the cluster's log. */
const clusterLog = '__cluster_metadata'

type Row = ResponseInput<typeof DescribeQuorum>['topics'][number]['partitions'][number]

/** First version that tells who the nodes are. */
const nodesSince = 2

export const describeQuorum = handler(DescribeQuorum, async (request, { broker, version }) => {
  const isAsked = request.topics.some(
    ({ topicName, partitions }) =>
      topicName === clusterLog && partitions.some(({ partitionIndex }) => partitionIndex === 0),
  )
  const quorum = isAsked ? await described(broker) : null
  return {
    ...noError,
    topics: request.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) =>
        topicName === clusterLog && partitionIndex === 0 && quorum !== null
          ? clusterRow(broker, quorum, version)
          : unknownRow(partitionIndex),
      ),
    })),
    ...(version >= nodesSince && { nodes: nodesOf(broker, quorum) }),
  }
})

async function described(broker: Broker): Promise<QuorumDescription | Refused> {
  try {
    return await broker.describeQuorum()
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
}

function clusterRow(broker: Broker, quorum: QuorumDescription | Refused, version: number): Row {
  if (quorum instanceof Refused) return { ...unknownRow(0), ...errorFields(quorum) }
  const replica = ({ id, logEndOffset, lastFetchMs, lastCaughtUpMs }: QuorumMember) => ({
    replicaId: id,
    ...(version >= nodesSince && { replicaDirectoryId: broker.image.brokers.get(id)?.diskId ?? zeroUuid }),
    logEndOffset,
    lastFetchTimestamp: lastFetchMs,
    lastCaughtUpTimestamp: lastCaughtUpMs,
  })
  return {
    ...noError,
    partitionIndex: 0,
    leaderId: quorum.leaderId,
    leaderEpoch: quorum.epoch,
    highWatermark: quorum.highWatermark,
    currentVoters: quorum.voters.map(replica),
    observers: quorum.observers.map(replica),
  }
}

function unknownRow(partitionIndex: number): Row {
  return {
    partitionIndex,
    errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
    errorMessage: `only partition 0 of ${clusterLog} is described`,
    leaderId: -1,
    leaderEpoch: -1,
    highWatermark: -1,
    currentVoters: [],
    observers: [],
  }
}

/** Every broker takes what is meant for controllers where it takes everything else. */
function nodesOf(broker: Broker, quorum: QuorumDescription | Refused | null) {
  if (quorum === null || quorum instanceof Refused) return []
  return quorum.voters.map(({ id }) => {
    const address = broker.endpoint(id)
    return { nodeId: id, listeners: address === undefined ? [] : [{ name: 'PLAINTEXT', ...address }] }
  })
}
