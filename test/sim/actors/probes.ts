/** Whether the cluster serves: one record into each partition, acknowledged by all; one topic made. */
import { errorName } from '../../../src/base/error-codes.ts'
import { CreateTopics } from '../../../src/protocol/apis/create-topics.ts'
import { ListPartitionReassignments } from '../../../src/protocol/apis/list-partition-reassignments.ts'
import { Metadata } from '../../../src/protocol/apis/metadata.ts'
import { Produce } from '../../../src/protocol/apis/produce.ts'
import { BatchBuilder } from '../../../src/records/records.ts'
import type { ClusterClient } from '../cluster-client.ts'
import { keyOf, type Place, type Stage } from '../stage.ts'

/** Resolves with why not, or null. */
export async function probe(stage: Stage, client: ClusterClient, place: Place): Promise<string | null> {
  const leader = await client.leader(place)
  if (leader === null) return 'no leader'
  const value = stage.nextValue()
  const batch = new BatchBuilder({ codec: 'none' })
  batch.append({ timestamp: stage.clock.now(), key: null, value: Buffer.from(value), headers: [] })
  const begun = stage.recorder.begin('probe')
  const sent = { kind: 'send', key: keyOf(place), value, acks: -1, isOrdered: false } as const
  const beganMs = stage.clock.monotonic()
  const answer = await leader.client.ask(Produce, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 800,
    topicData: [{ name: place.topic, partitionData: [{ index: place.partition, records: [batch.build()] }] }],
  })
  const row = answer?.responses[0]?.partitionResponses[0]
  const isOk = row?.errorCode === 0
  // Its clock may have jumped so far that it cannot take ours for true: an answer all the same.
  if (row !== undefined && errorName(row.errorCode) === 'INVALID_TIMESTAMP') return null
  begun.end(isOk ? 'ok' : 'info', { ...sent, beganMs, offset: isOk ? row.baseOffset : null })
  if (isOk) return null
  client.misled(place)
  return row === undefined ? `n${leader.nodeId} does not answer` : errorName(row.errorCode)
}

/** A topic of that name, made or there. Resolves with why not, or null. */
export async function make(client: ClusterClient, topic: TopicRequest): Promise<string | null> {
  const answer = await client.any().ask(CreateTopics, { topics: [topic], timeoutMs: 1000 })
  const row = answer?.topics[0]
  if (row === undefined) return 'no answer'
  const error = errorName(row.errorCode)
  return error === 'NONE' || error === 'TOPIC_ALREADY_EXISTS' ? null : `${error} ${row.errorMessage ?? ''}`
}

interface TopicRequest {
  readonly name: string
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly assignments: []
  readonly configs: { readonly name: string; readonly value: string }[]
}

export interface Placement {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly replicas: readonly number[]
}

/** Where everything lies, as one of the brokers has it; null when it does not answer. */
export async function placements(client: ClusterClient, nodeId: number): Promise<Placement[] | null> {
  const answer = await client.at(nodeId).ask(Metadata, {
    topics: null,
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  })
  if (answer === null) return null
  return answer.topics.flatMap(({ name, topicId, partitions }) =>
    partitions.map(({ partitionIndex, replicaNodes }) => {
      return { topic: name ?? '', topicId, partition: partitionIndex, replicas: replicaNodes }
    }),
  )
}

/** Keys of what moves, as one of the brokers has it; null when it does not answer. */
export async function moving(client: ClusterClient, nodeId: number): Promise<string[] | null> {
  const answer = await client.at(nodeId).ask(ListPartitionReassignments, { topics: null, timeoutMs: 1000 })
  if (answer === null || answer.errorCode !== 0) return null
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => keyOf({ topic: name, partition: partitionIndex })),
  )
}
