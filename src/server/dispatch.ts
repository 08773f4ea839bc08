/**
 * From a frame to the handler of its API, and from the handler's answer to the bytes of a response.
 *
 * An API or a version that is not served ends the connection, as in Kafka: there is no error frame that a client could read
 * without knowing the API. The one exception is ApiVersions itself, the question that comes before anything is known: any
 * version of it is answered, in the form of version 0 (KIP-511).
 */
import { Reader, Writer } from '../base/bytes.ts'
import { Refused } from '../base/errors.ts'
import type { Broker } from '../broker/broker.ts'
import { unsupportedApiVersions } from '../handlers/api-versions.ts'
import { type Context, type Handler, noResponse } from '../handlers/handler.ts'
import { ApiVersions } from '../protocol/apis/api-versions.ts'
import { decodeRequestHeader, encodeResponseHeader, peekApi } from '../protocol/header.ts'
import type { AnyApi } from '../protocol/notation.ts'

/** Who sent the frame. */
export interface Caller {
  readonly id: string
  readonly clientHost: string
  readonly reserve: Context['reserve']
}

/** Where a frame goes. */
export interface Route {
  readonly handler: Handler
  readonly version: number
}

/** A response with its size, ready to be sent; null when nothing is. */
export type Answer = { readonly buffers: readonly Buffer[]; readonly loans: Loans } | null
/** What lies in an answer's buffers, and is released when these have left. */
export type Loans = readonly Buffer[]

export class Dispatch {
  readonly #broker: Broker
  readonly #byKey: ReadonlyMap<number, Handler>

  constructor(broker: Broker, handlers: readonly Handler[]) {
    this.#broker = broker
    this.#byKey = new Map(handlers.map((handler) => [handler.api.key, handler]))
  }

  /** @throws Malformed; Refused UNSUPPORTED_VERSION, which says what was asked and what is served */
  route(frame: Buffer): Route {
    const { apiKey, apiVersion } = peekApi(frame)
    const handler = this.#byKey.get(apiKey)
    if (handler === undefined) throw new Refused('UNSUPPORTED_VERSION', `API ${apiKey} is not served`)
    const { api } = handler
    if (!isServed(api, apiVersion) && api.key !== ApiVersions.key) {
      throw new Refused(
        'UNSUPPORTED_VERSION',
        `${api.name} v${apiVersion} is not served, only v${api.min} to v${api.max}`,
      )
    }
    return { handler, version: apiVersion }
  }

  /** Whatever the order of requests decides has happened when this returns. @throws Malformed, and what the handler throws */
  run(frame: Buffer, { handler, version }: Route, caller: Caller): Answer | Promise<Answer> {
    const { api } = handler
    const reader = new Reader(frame)
    if (!isServed(api, version))
      return encode(ApiVersions, 0, correlationIdOf(reader), unsupportedApiVersions(), [])
    const header = decodeRequestHeader(reader, api.requestHeaderVersion(version))
    const request = api.decodeRequest(reader, version)
    const broker = this.#broker
    const loans: Buffer[] = []
    const context: Context = {
      broker,
      version,
      clientId: header.clientId,
      clientHost: caller.clientHost,
      connection: caller.id,
      arrivedMs: broker.world.clock.now(),
      reserve: caller.reserve,
      lend: (buffers) => void loans.push(...buffers),
    }
    // The table pairs each handler with its API, so the request is of the type it wants.
    const response = handler.handle(request as never, context)
    return response instanceof Promise
      ? response.then((settled: unknown) => encode(api, version, header.correlationId, settled, loans))
      : encode(api, version, header.correlationId, response, loans)
  }
}

function isServed(api: AnyApi, version: number): boolean {
  return version >= api.min && version <= api.max
}

/** All versions of the header have it at the same place; the rest of an unknown version is not looked at. */
function correlationIdOf(reader: Reader): number {
  reader.skip(4, 'apiKey')
  return reader.int32('correlationId')
}

function encode(
  api: AnyApi,
  version: number,
  correlationId: number,
  response: unknown,
  loans: Loans,
): Answer {
  if (response === noResponse) return null
  const writer = new Writer()
  writer.int32(0)
  encodeResponseHeader(writer, { correlationId }, api.responseHeaderVersion(version))
  api.encodeResponse(writer, response as never, version)
  writer.patchInt32(0, writer.size - 4)
  return { buffers: writer.finish(), loans }
}
