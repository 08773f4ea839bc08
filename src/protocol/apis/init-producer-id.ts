import { api, int16, int32, int64, string } from '../notation.ts'

/**
 * Get a producer id: what makes a producer idempotent, or transactional when it names its `transactionalId`.
 *
 * Versions: 3 a producer may ask for the next epoch of its id.
 * @source KIP-98, KIP-360, KIP-890
 */
export const InitProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: [0, 5],
  flexible: 2,
  request: {
    transactionalId: string.nullable,
    transactionTimeoutMs: int32,
    producerId: int64.since(3).or(-1),
    producerEpoch: int16.since(3).or(-1),
  },
  response: {
    throttleTimeMs: int32.or(0),
    errorCode: int16,
    producerId: int64.or(-1),
    producerEpoch: int16,
  },
})
