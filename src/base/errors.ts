/**
 * Errors, in three families:
 *
 * | family  | whose fault               | reaction                                             |
 * |---------|---------------------------|------------------------------------------------------|
 * | Refused | the client, or the moment | an error code of Kafka's table, on the wire          |
 * | Faulted | disk, socket, bytes       | the partition goes offline or the connection closes  |
 * | assert  | us                        | stop; see assert.ts                                  |
 */
import type { ErrorName } from './error-codes.ts'

/** A request that is answered with an error code. `detail` is a sentence for the person who reads it. */
export class Refused extends Error {
  override name = 'Refused'
  constructor(
    readonly code: ErrorName,
    readonly detail: string = '',
  ) {
    super(detail === '' ? code : `${code}: ${detail}`)
  }
}

/** Which part of the outside world failed. */
export type Door = 'disk' | 'net' | 'bytes'

/** The world failed: `operation` names what was tried and on what; `cause` is the error of the system. */
export class Faulted extends Error {
  override name = 'Faulted'
  constructor(
    readonly door: Door,
    readonly operation: string,
    options?: { cause?: unknown },
  ) {
    super(
      `${door}: ${operation}${options?.cause instanceof Error ? `: ${options.cause.message}` : ''}`,
      options,
    )
  }
}

/** What was thrown, for a sentence: it need not be an Error. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
