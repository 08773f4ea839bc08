/**
 * What goes wrong, as classes. Every error of the client is a `KafkaError`: `code` is Kafka's own name (or one of the few
 * that only a client needs), `retriable` says whether the same call may work later, `advice` what a person can do.
 */

import { type ErrorName, errorName, isRetriable } from '../src/base/error-codes.ts'
import { messageOf } from '../src/base/errors.ts'
import { sentences } from './error-sentences.ts'

/** Kafka's names, and those of faults that never leave the client. */
export type ErrorCode =
  | ErrorName
  | 'CLIENT_CLOSED'
  | 'ABORTED'
  | 'INVALID_ARGUMENT'
  | 'BUFFER_EXHAUSTED'
  | 'NO_OFFSET'
  | 'LOG_TRUNCATED'
  | 'SERDE_FAILED'
  | 'REGISTRY_FAILED'

export interface ErrorOptions {
  readonly retriable?: boolean
  readonly advice?: string
  readonly cause?: unknown
}

export class KafkaError extends Error {
  override name = 'KafkaError'
  readonly retriable: boolean
  /** What a person can do about it; empty when there is nothing to say. */
  readonly advice: string

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.retriable = options.retriable ?? false
    this.advice = options.advice ?? ''
  }
}

/** A broker answered with an error code. `what` is what was asked of it: 'topic orders', 'partition orders-3'. */
export class BrokerRefused extends KafkaError {
  override name = 'BrokerRefused'
  constructor(
    code: ErrorName,
    readonly what: string,
    detail: string | null = null,
  ) {
    const known = sentences[code]
    const sentence = detail?.replace(/\.$/, '') || known?.what || 'the broker refused the request'
    super(code, `${what}: ${sentence} (${code})`, {
      retriable: isRetriable(code),
      advice: known?.advice ?? '',
    })
  }
}

/** No connection could be opened. */
export class ConnectFailed extends KafkaError {
  override name = 'ConnectFailed'
  constructor(
    readonly address: string,
    why: string,
    options: { cause?: unknown } = {},
  ) {
    super('NETWORK_EXCEPTION', `broker ${address} ${why}`, {
      ...options,
      retriable: true,
      advice: 'check that a broker runs there and that the address is right',
    })
  }
}

/** An open connection ended before the answer came. Whether the broker did what was asked is unknown. */
export class ConnectionLost extends KafkaError {
  override name = 'ConnectionLost'
  constructor(
    readonly address: string,
    why: string,
    options: { cause?: unknown } = {},
  ) {
    super('NETWORK_EXCEPTION', `the connection to broker ${address} is gone: ${why}`, {
      ...options,
      retriable: true,
      advice: "the broker's own log says why it closed it, if it did",
    })
  }
}

/** What answers is not a Kafka broker, or not in a way that this client understands. */
export class NotKafka extends KafkaError {
  override name = 'NotKafka'
  constructor(
    readonly address: string,
    why: string,
    options: { cause?: unknown } = {},
  ) {
    super('INVALID_REQUEST', `${address} does not speak the Kafka protocol: ${why}`, {
      ...options,
      advice: "check that the port is the broker's plaintext listener",
    })
  }
}

/** No answer in time. Whether the broker did what was asked is unknown. */
export class TimedOut extends KafkaError {
  override name = 'TimedOut'
  constructor(what: string, timeoutMs: number, options: { cause?: unknown } = {}) {
    const last = options.cause instanceof Error ? `; the last error was: ${options.cause.message}` : ''
    super('REQUEST_TIMED_OUT', `${what}: no success within ${Math.round(timeoutMs)} ms${last}`, {
      ...options,
      retriable: true,
      advice: 'the brokers are overloaded, stalled or cut off; or the time-out is too short',
    })
  }
}

/** The broker serves no version of an API that this client knows. */
export class UnsupportedVersion extends KafkaError {
  override name = 'UnsupportedVersion'
  constructor(address: string, api: string, detail: string) {
    super(
      'UNSUPPORTED_VERSION',
      `broker ${address} does not serve ${api} as this client speaks it: ${detail}`,
      {
        advice: 'the broker is too old, too new, or lacks this feature',
      },
    )
  }
}

/** The client, producer or consumer was closed. */
export class ClientClosed extends KafkaError {
  override name = 'ClientClosed'
  constructor(what: string) {
    super('CLIENT_CLOSED', `the ${what} is closed`)
  }
}

/** An argument is wrong; the message names it. */
export class InvalidArgument extends KafkaError {
  override name = 'InvalidArgument'
  constructor(message: string) {
    super('INVALID_ARGUMENT', message)
  }
}

/** One record is larger than what the producer may send or the topic takes. */
export class RecordTooLarge extends KafkaError {
  override name = 'RecordTooLarge'
  constructor(topic: string, bytes: number, bytesMax: number) {
    super(
      'MESSAGE_TOO_LARGE',
      `a record of ${bytes} bytes for topic ${topic} is over the limit of ${bytesMax}`,
      {
        advice: 'raise requestBytesMax of the producer and max.message.bytes of the topic, or send less',
      },
    )
  }
}

/** The producer's memory stayed full. */
export class BufferExhausted extends KafkaError {
  override name = 'BufferExhausted'
  constructor(detail: string, options: { cause?: unknown } = {}) {
    super('BUFFER_EXHAUSTED', `the producer has no room: ${detail}`, {
      ...options,
      retriable: true,
      advice: 'await the sends, or raise bufferBytesMax',
    })
  }
}

/** A consumer has no position: nothing was committed, or it was trimmed away, and `offsetReset` is 'none'. */
export class NoOffset extends KafkaError {
  override name = 'NoOffset'
  constructor(what: string) {
    super('NO_OFFSET', what, { advice: "seek, or set offsetReset to 'earliest' or 'latest'" })
  }
}

/** Records that a consumer has read are not in the log any more (KIP-320). Others may have taken their offsets. */
export interface Truncation {
  readonly topic: string
  readonly partition: number
  /** Of the next record that would have been read. */
  readonly position: number
  /** Where the log and what was read part. */
  readonly divergedAt: number
}

/** A `Truncation` that `offsetReset` 'none' makes an error of. */
export class LogTruncated extends KafkaError {
  override name = 'LogTruncated'
  constructor(readonly truncation: Truncation) {
    const { topic, partition, position, divergedAt } = truncation
    super(
      'LOG_TRUNCATED',
      `partition ${topic}-${partition} lost its records from ${divergedAt}; the position was ${position}`,
      { advice: 'undo what came of the records that are gone, then seek to divergedAt' },
    )
  }
}

/** A key or a value does not fit its serde, in either direction. */
export class SerdeFailed extends KafkaError {
  override name = 'SerdeFailed'
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('SERDE_FAILED', message, {
      ...options,
      advice: "compare the topic's declaration with what its producers write",
    })
  }
}

/** The schema registry refused, or could not be asked. `status` is HTTP's, `errorCode` its own; 0 when it did not answer. */
export class RegistryFailed extends KafkaError {
  override name = 'RegistryFailed'
  constructor(
    message: string,
    readonly status: number,
    readonly errorCode: number,
    options: { cause?: unknown } = {},
  ) {
    super('REGISTRY_FAILED', message, {
      ...options,
      retriable: status === 0 || status === 429 || status >= 500,
      advice:
        status === 409
          ? 'make the schema compatible with the versions before it, or change the compatibility of the subject'
          : status === 0
            ? 'check that a schema registry runs there and that the address is right'
            : '',
    })
  }
}

/** The caller's AbortSignal ended the call. What was asked may yet happen. `cause` is the signal's reason. */
export class Aborted extends KafkaError {
  override name = 'AbortError'
  constructor(what: string, reason: unknown) {
    super('ABORTED', `${what} was aborted`, { cause: reason })
  }
}

/** Errors that the message of a `PartialFailure` spells out: thousands would hide what they say. */
const toldMax = 5

/** Several items of one call failed: `errors` has one error for each. What is not in it was done. */
export class PartialFailure extends KafkaError {
  override name = 'PartialFailure'
  constructor(readonly errors: readonly KafkaError[]) {
    const [first] = errors
    const more = errors.length > toldMax ? `; and ${errors.length - toldMax} more` : ''
    const told = errors.slice(0, toldMax).map(({ message }) => message)
    super(first?.code ?? 'UNKNOWN_SERVER_ERROR', `${told.join('; ')}${more}`, {
      retriable: errors.every((e) => e.retriable),
      advice: first?.advice ?? '',
    })
  }
}

/** Throws unless `code` is 0. */
export function expectNone(code: number, what: string, detail?: string | null): void {
  if (code !== 0) throw refused(code, what, detail)
}

export function refused(code: number, what: string, detail?: string | null): BrokerRefused {
  return new BrokerRefused(errorName(code), what, detail)
}

/** Throws what failed: the error itself when it is one, a PartialFailure when there are several. */
export function throwFailures(errors: readonly KafkaError[]): void {
  const [first] = errors
  if (first === undefined) return
  throw errors.length === 1 ? first : new PartialFailure(errors)
}

/** A thrown value as a KafkaError: ours as it is, anything else wrapped. */
export function asKafkaError(thrown: unknown): KafkaError {
  if (thrown instanceof KafkaError) return thrown
  const message = messageOf(thrown)
  return new KafkaError('UNKNOWN_SERVER_ERROR', message, { cause: thrown })
}
