/**
 * Opens a connection and agrees on versions. A broker that does not know our version of ApiVersions answers in the form of
 * version 0 with its own range (KIP-511); some drop the connection instead (Azure Event Hubs), some break the form.
 */
import type { Reader } from '../src/base/bytes.ts'
import { errorCode } from '../src/base/error-codes.ts'
import { ApiVersions } from '../src/protocol/apis/api-versions.ts'
import { type Address, addressText } from './address.ts'
import { Connection, type VersionRange } from './connection.ts'
import { channels } from './diagnostics.ts'
import { ConnectionLost, NotKafka, refused } from './errors.ts'
import type { Lifetime } from './lifetime.ts'
import type { ClientSettings } from './settings.ts'

const unsupportedVersion = errorCode('UNSUPPORTED_VERSION')
const invalidRequest = errorCode('INVALID_REQUEST')

/** ApiVersions whose error is read in whatever form it comes. */
const Greeting: typeof ApiVersions = {
  ...ApiVersions,
  decodeResponse(reader: Reader, version: number) {
    const start = reader.position
    if (version === 0 || reader.int16('errorCode') !== unsupportedVersion) {
      reader.position = start
      return ApiVersions.decodeResponse(reader, version)
    }
    reader.position = start
    try {
      return ApiVersions.decodeResponse(reader, 0)
    } catch {
      // Half in one form, half in another: what matters is the code.
      return { ...nothingServed, errorCode: unsupportedVersion }
    }
  },
}

const nothingServed: ReturnType<typeof ApiVersions.decodeResponse> = {
  errorCode: 0,
  apiKeys: [],
  throttleTimeMs: 0,
  supportedFeatures: [],
  finalizedFeaturesEpoch: -1,
  finalizedFeatures: [],
  zkMigrationReady: false,
}

/**
 * `isKnown`: a broker of this cluster has answered before, so one that closes at once is about to stop, and no stranger.
 * @throws ConnectFailed, ConnectionLost, NotKafka, TimedOut, or the end of the lifetime
 */
export async function open(
  address: Address,
  settings: ClientSettings,
  lifetime: Lifetime,
  isKnown: boolean,
): Promise<Connection> {
  try {
    return await openWith(ApiVersions.max, address, settings, lifetime)
  } catch (cause) {
    if (!(cause instanceof ClosedAtOnce)) throw cause
  }
  // It may be a broker that takes only the oldest words.
  try {
    return await openWith(0, address, settings, lifetime)
  } catch (cause) {
    if (!(cause instanceof ClosedAtOnce) || isKnown) throw cause
    throw new NotKafka(addressText(address), 'it closes the connection at the first request', { cause })
  }
}

class ClosedAtOnce extends ConnectionLost {}

async function openWith(
  version: number,
  address: Address,
  settings: ClientSettings,
  lifetime: Lifetime,
): Promise<Connection> {
  const aborter = new AbortController()
  let connection: Connection | null = null
  const forget = lifetime.onEnd((reason) => {
    aborter.abort()
    connection?.close(reason)
  })
  try {
    const { transport, connectTimeoutMs } = settings
    const stream = await transport.net.connect({
      ...address,
      timeoutMs: connectTimeoutMs,
      signal: aborter.signal,
    })
    connection = new Connection(stream, {
      ...settings,
      clock: transport.clock,
      address: addressText(address),
    })
    await greet(connection, settings, version)
    lifetime.check()
    announce(connection, settings)
    return connection
  } catch (cause) {
    lifetime.check()
    connection?.close(new ConnectionLost(connection.address, 'the handshake failed'))
    if (cause instanceof ConnectionLost && connection?.hasAnswered === false) {
      throw new ClosedAtOnce(addressText(address), 'it was closed at the first request', { cause })
    }
    throw cause
  } finally {
    forget()
  }
}

function announce(connection: Connection, { clientId, logger }: ClientSettings): void {
  const { address } = connection
  logger.debug({ clientId, address }, `connected to broker ${address}`)
  if (channels.connected.hasSubscribers) channels.connected.publish({ clientId, address })
  connection.onClose = (reason) => {
    logger.debug(
      { clientId, address, code: reason.code },
      `disconnected from broker ${address}: ${reason.message}`,
    )
    if (channels.disconnected.hasSubscribers) channels.disconnected.publish({ clientId, address, reason })
  }
}

async function greet(connection: Connection, settings: ClientSettings, firstVersion: number): Promise<void> {
  const request = { clientSoftwareName: 'lograft', clientSoftwareVersion: settings.softwareVersion }
  for (let version = firstVersion; ; ) {
    const answer = await connection.send(Greeting, request, version, settings.connectTimeoutMs)
    if (answer.errorCode === 0) {
      connection.versions = rangesOf(answer.apiKeys)
      return
    }
    const retries = answer.errorCode === unsupportedVersion || answer.errorCode === invalidRequest
    if (!retries || version === 0)
      throw refused(answer.errorCode, `broker ${connection.address}: ApiVersions`)
    const own = rangesOf(answer.apiKeys).get(ApiVersions.key)
    version = own !== undefined && own.max < version ? Math.max(own.max, 0) : 0
  }
}

function rangesOf(
  apiKeys: readonly { apiKey: number; minVersion: number; maxVersion: number }[],
): ReadonlyMap<number, VersionRange> {
  return new Map(apiKeys.map((row) => [row.apiKey, { min: row.minVersion, max: row.maxVersion }]))
}
