/** The quorum of the cluster's own log, and brokers that leave it for good. */
import { DescribeQuorum } from '../src/protocol/apis/describe-quorum.ts'
import { UnregisterBroker } from '../src/protocol/apis/unregister-broker.ts'
import type { Cluster } from './cluster.ts'
import { asKafkaError, expectNone, refused } from './errors.ts'

export interface QuorumDescription {
  /** The controller; -1 when none is known. */
  readonly leader: number
  readonly epoch: number
  readonly highWatermark: number
  readonly voters: readonly QuorumReplica[]
  readonly observers: readonly QuorumReplica[]
}

export interface QuorumReplica {
  readonly nodeId: number
  /** -1 when it is not known. */
  readonly logEnd: number
  /** What it lacks of the leader's log; -1 when that is not known. */
  readonly lag: number
  /** Milliseconds since 1970, by the leader's clock; -1 when not known. */
  readonly lastFetchMs: number
  readonly lastCaughtUpMs: number
}

const clusterLog = '__cluster_metadata'

export function describeQuorum(cluster: Cluster): Promise<QuorumDescription> {
  const what = 'the quorum of the controllers'
  return cluster.retry(what, async () => {
    const response = await cluster.request('controller', DescribeQuorum, {
      topics: [{ topicName: clusterLog, partitions: [{ partitionIndex: 0 }] }],
    })
    expectNone(response.errorCode, what, response.errorMessage)
    const row = response.topics[0]?.partitions[0]
    if (row === undefined) throw refused(-1, what, 'the response left it out')
    expectNone(row.errorCode, what, row.errorMessage)
    const end = row.currentVoters.find(({ replicaId }) => replicaId === row.leaderId)?.logEndOffset ?? -1
    const describe = (replicas: typeof row.currentVoters): QuorumReplica[] =>
      replicas
        .map(({ replicaId, logEndOffset, lastFetchTimestamp, lastCaughtUpTimestamp }) => ({
          nodeId: replicaId,
          logEnd: logEndOffset,
          lag: end < 0 || logEndOffset < 0 ? -1 : Math.max(0, end - logEndOffset),
          lastFetchMs: lastFetchTimestamp,
          lastCaughtUpMs: lastCaughtUpTimestamp,
        }))
        .sort((a, b) => a.nodeId - b.nodeId)
    return {
      leader: row.leaderId,
      epoch: row.leaderEpoch,
      highWatermark: row.highWatermark,
      voters: describe(row.currentVoters),
      observers: describe(row.observers),
    }
  })
}

/** Takes a broker out of the cluster. Its replicas are to be moved before. */
export async function unregisterBroker(cluster: Cluster, nodeId: number): Promise<void> {
  const what = `broker ${nodeId}`
  // A controller that takes itself out may be gone before its answer is here.
  let mayBeDone = false
  await cluster.retry(what, async () => {
    try {
      const response = await cluster.request('controller', UnregisterBroker, { brokerId: nodeId })
      expectNone(response.errorCode, what, response.errorMessage)
    } catch (cause) {
      const { code } = asKafkaError(cause)
      if (code === 'BROKER_ID_NOT_REGISTERED' && mayBeDone) return
      mayBeDone ||= code === 'NETWORK_EXCEPTION' || code === 'REQUEST_TIMED_OUT'
      throw cause
    }
  })
  cluster.metadata.invalidate()
}
