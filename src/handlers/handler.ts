/**
 * What an API's handler is: decoded request in, response out. One file per API; table.ts lists them all with their versions.
 */
import type { Broker } from '../broker/broker.ts'
import type { AnyApi, Api, RequestOf, ResponseInput } from '../protocol/notation.ts'

/** Who asks, and with which version. */
export interface Context {
  readonly broker: Broker
  readonly version: number
  readonly clientId: string | null
  /** The client's address as Kafka shows it in group descriptions: '/127.0.0.1'. */
  readonly clientHost: string
  /** Identifies the connection, for fetch sessions and logs. */
  readonly connection: string
  /** Wall clock at arrival, ms. */
  readonly arrivedMs: number
  /**
   * Sets memory aside for a large answer until that has left, and answers how many bytes were granted: all that waits for slow
   * readers stays within its bound. A fetch answers at least one batch whatever it gets.
   */
  readonly reserve: (bytes: number) => number
  /** The answer holds these. A use of each goes over to it, and is released when it has left (base/buffer-pool.ts). */
  readonly lend: (buffers: readonly Buffer[]) => void
}

/** Answer of a handler that sends nothing (acks=0). */
export const noResponse: unique symbol = Symbol('no response')
export type NoResponse = typeof noResponse

export interface Handler {
  readonly api: AnyApi
  /**
   * All that order depends on happens before the first await. A `pipelined` handler lets the connection start its next
   * pipelined request while this one's answer is still open (produce); any other request waits for those before it.
   */
  readonly isPipelined: boolean
  /** Once it is answered nobody looks at its frame any more but those who have retained it. */
  readonly letsGo: boolean
  handle(request: never, context: Context): unknown
}

/**
 * Declares the handler of one API. It returns the response, a promise of it, or `noResponse`. A thrown error closes the
 * connection (and only that); Refused is for the caller to map into the response's error codes.
 */
export function handler<A extends AnyApi>(
  api: A,
  handle: (
    request: RequestOf<A>,
    context: Context,
  ) => ResponseInput<A> | NoResponse | Promise<ResponseInput<A> | NoResponse>,
  options: { isPipelined?: boolean; letsGo?: boolean } = {},
): Handler {
  return { api, isPipelined: options.isPipelined ?? false, letsGo: options.letsGo ?? false, handle }
}

export type { Api }
