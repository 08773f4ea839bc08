/** Batches as one Produce request, and its answer back to the batches. */
import type { Produce } from '../src/protocol/apis/produce.ts'
import type { RequestInput, ResponseOf } from '../src/protocol/notation.ts'
import { BrokerRefused, type KafkaError, refused } from './errors.ts'
import type { ProducerBatch } from './producer-batch.ts'

export type PartitionAnswer = ResponseOf<typeof Produce>['responses'][number]['partitionResponses'][number]

const openOutcomes = new Set<string>([
  'NETWORK_EXCEPTION',
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'NOT_LEADER_OR_FOLLOWER',
  'KAFKA_STORAGE_ERROR',
  'UNKNOWN_SERVER_ERROR',
])

const gaps = new Set<string>([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
])

/** At most one batch for each partition: brokers take no more. */
export function produceRequest(
  batches: readonly ProducerBatch[],
  options: { acks: number; timeoutMs: number },
): RequestInput<typeof Produce> {
  const topics = new Map<string, { index: number; records: Buffer[] }[]>()
  for (const batch of batches) {
    const { topic, index } = batch.home
    const partitions = topics.get(topic) ?? []
    partitions.push({ index, records: [batch.build()] })
    topics.set(topic, partitions)
  }
  const topicData = [...topics].map(([name, partitionData]) => ({ name, partitionData }))
  return { transactionalId: null, ...options, topicData }
}

/** What the response says of one batch, if anything. */
export function answerFor(
  batch: ProducerBatch,
  response: ResponseOf<typeof Produce>,
): PartitionAnswer | undefined {
  const { topic, index } = batch.home
  return response.responses
    .find((row) => row.name === topic)
    ?.partitionResponses.find((row) => row.index === index)
}

/** The refusal of a whole batch; with `recordErrors` (KIP-467) the broker blames single records. */
export function refusalOf(
  batch: ProducerBatch,
  answer: PartitionAnswer,
): (recordIndex: number) => KafkaError {
  const what = batch.home.name
  const error = refused(answer.errorCode, what, answer.errorMessage)
  if (answer.recordErrors.length === 0) return () => error
  const reasons = new Map(answer.recordErrors.map((row) => [row.batchIndex, row.batchIndexErrorMessage]))
  const neighbour = new BrokerRefused(
    error.code as 'INVALID_RECORD',
    what,
    'another record of its batch was refused',
  )
  return (i) => (reasons.has(i) ? new BrokerRefused('INVALID_RECORD', what, reasons.get(i)) : neighbour)
}

/** The broker has stored the batch, or yet will, for all that is known. */
export function mayBeStored({ code }: KafkaError): boolean {
  return openOutcomes.has(code)
}

/** The broker lacks something that was numbered before the batch (KIP-98). */
export function isGapBefore({ code }: KafkaError): boolean {
  return gaps.has(code)
}
