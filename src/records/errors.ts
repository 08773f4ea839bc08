/** What can be wrong inside a batch. All are `Refused`: the bytes came from a client. */
import { Refused } from '../base/errors.ts'

/** The batch expands beyond what the caller allows. Not retriable: the same bytes expand to the same size. */
export class ExpandedTooLarge extends Refused {
  override name = 'ExpandedTooLarge'
  constructor(codec: string, maxBytes: number) {
    super('INVALID_RECORD', `the ${codec} payload expands beyond ${maxBytes} bytes`)
  }
}

/** The compressed payload is not what its codec defines. */
export class CorruptPayload extends Refused {
  override name = 'CorruptPayload'
  constructor(codec: string, detail: string) {
    super('CORRUPT_MESSAGE', `the ${codec} payload is corrupt: ${detail}`)
  }
}

/**
 * The records themselves (after expanding) do not parse. Not CORRUPT_MESSAGE: the checksum of the batch was right,
 * so the client built it so, and a retry would send the same.
 */
export class MalformedRecords extends Refused {
  override name = 'MalformedRecords'
  constructor(detail: string) {
    super('INVALID_RECORD', detail)
  }
}
