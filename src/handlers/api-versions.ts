/**
 * ApiVersions: what this broker speaks, from the list of its handlers. No features are finalized, so Java keeps to the first
 * protocol of transactions (and to Produce 11).  @source KIP-35, KIP-511, KIP-584
 */
import { errorCode } from '../base/error-codes.ts'
import { ApiVersions } from '../protocol/apis/api-versions.ts'
import type { ResponseInput } from '../protocol/notation.ts'
import { type Handler, handler } from './handler.ts'

/** As Kafka checks what a client calls itself. */
const softwareName = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/
const softwareNameSince = 3

/** @param served all handlers, this one among them; asked when a request comes */
export function apiVersions(served: () => readonly Handler[]): Handler {
  return handler(ApiVersions, (request, { version }) => {
    const isNamed =
      version < softwareNameSince ||
      (softwareName.test(request.clientSoftwareName) && softwareName.test(request.clientSoftwareVersion))
    return isNamed
      ? { errorCode: 0, apiKeys: rangesOf(served()), throttleTimeMs: 0 }
      : { errorCode: errorCode('INVALID_REQUEST'), apiKeys: [], throttleTimeMs: 0 }
  })
}

/** To a version that is not served, in the form of version 0: at least the range that is. */
export function unsupportedApiVersions(): ResponseInput<typeof ApiVersions> {
  return { errorCode: errorCode('UNSUPPORTED_VERSION'), apiKeys: [rangeOf(ApiVersions)], throttleTimeMs: 0 }
}

function rangesOf(served: readonly Handler[]) {
  return served.map(({ api }) => rangeOf(api)).sort((a, b) => a.apiKey - b.apiKey)
}

function rangeOf(api: { key: number; advertisedMin: number; max: number }) {
  return { apiKey: api.key, minVersion: api.advertisedMin, maxVersion: api.max }
}
