/**
 * InitProducerId, for idempotent producers: always a new id with epoch 0, whatever id the producer had before (KIP-360 lets it
 * ask for the next epoch, and a new id serves as well).
 *
 * Transactions are not served yet. Of all codes only TRANSACTIONAL_ID_AUTHORIZATION_FAILED ends `initTransactions` at once in
 * every client: Java and librdkafka take it for fatal, kafkajs, sarama and franz-go do not retry it. librdkafka retries what it
 * does not expect here (INVALID_REQUEST, UNSUPPORTED_VERSION) until its time-out, and COORDINATOR_NOT_AVAILABLE is retried by
 * all, for ever. The response has no room for a sentence, so the log says what is meant.
 */
import { errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import { InitProducerId } from '../protocol/apis/init-producer-id.ts'
import { handler } from './handler.ts'

const none = { producerId: -1, producerEpoch: -1 }

export const initProducerId = handler(InitProducerId, async (request, { broker, clientId }) => {
  if (request.transactionalId !== null) {
    broker.event({
      level: 'warn',
      event: 'transaction.refused',
      message: `client '${clientId ?? ''}' asked for transactional id '${request.transactionalId}': transactions are not served`,
      transactionalId: request.transactionalId,
    })
    return { errorCode: errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'), ...none }
  }
  try {
    return { errorCode: 0, producerId: await broker.producerIds.next(), producerEpoch: 0 }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    // What ails the controller passes; COORDINATOR_NOT_AVAILABLE is what every producer retries here.
    return { errorCode: errorCode('COORDINATOR_NOT_AVAILABLE'), ...none }
  }
})
