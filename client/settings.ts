/** The settings of a client, with their defaults. Kafka's name of each is in its comment where there is one. */
import { type Address, parseBootstrap } from './address.ts'
import { InvalidArgument } from './errors.ts'
import { nodeTransport, type Transport } from './transport.ts'

/** What a logger needs to offer; pino does. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface ClientOptions {
  /** 'host:port', several separated by commas or as a list: where to begin. The rest of the cluster is found. */
  readonly bootstrap: string | readonly string[]
  /** client.id */
  readonly clientId?: string
  /** request.timeout.ms: until one request must be answered. */
  readonly requestTimeoutMs?: number
  /** socket.connection.setup.timeout.ms */
  readonly connectTimeoutMs?: number
  /** default.api.timeout.ms: until a call, with all its retries, must have succeeded. */
  readonly callTimeoutMs?: number
  /** How long to keep trying while no broker has ever answered. 0: one attempt. */
  readonly bootstrapTimeoutMs?: number
  /** How long a topic that is not there may take to appear (it may be under creation). */
  readonly topicTimeoutMs?: number
  /** retry.backoff.ms and retry.backoff.max.ms: doubled from the first to the second, +-20 %. */
  readonly retryBackoffMs?: number
  readonly retryBackoffMaxMs?: number
  /** In place of retryBackoffMs, when shorter, after a broker said that it does not lead or coordinate: its successor is soon found. */
  readonly leaderBackoffMs?: number
  /** metadata.max.age.ms */
  readonly metadataMaxAgeMs?: number
  /** max.in.flight.requests.per.connection */
  readonly inFlightMax?: number
  /** Requests that may wait behind those in flight, per connection. */
  readonly queueMax?: number
  /** The largest response that is accepted. */
  readonly responseBytesMax?: number
  /** Threads that compress what producers send, started when a batch is large enough; 0: all is done on the event loop. */
  readonly compressionThreadsMax?: number
  readonly logger?: Logger
  /** Closes the client when it is aborted. */
  readonly signal?: AbortSignal
  /** The door to network, clock and chance; for simulations. */
  readonly transport?: Transport
}

export type ClientSettings = Required<Omit<ClientOptions, 'bootstrap' | 'signal'>> & {
  readonly bootstrap: readonly Address[]
  /** Told to brokers, which show it in their metrics. */
  readonly softwareVersion: string
}

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** @throws InvalidArgument naming the setting */
export function settingsOf(options: ClientOptions): ClientSettings {
  const settings: ClientSettings = {
    clientId: 'lograft',
    requestTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
    callTimeoutMs: 60_000,
    bootstrapTimeoutMs: 30_000,
    topicTimeoutMs: 5_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1_000,
    leaderBackoffMs: 20,
    metadataMaxAgeMs: 300_000,
    inFlightMax: 5,
    queueMax: 1_000,
    responseBytesMax: 256 * 1024 * 1024,
    compressionThreadsMax: (options.transport ?? nodeTransport).threads?.max ?? 0,
    logger: silent,
    transport: nodeTransport,
    ...given(options),
    bootstrap: parseBootstrap(options.bootstrap),
    softwareVersion: '0.1.0',
  }
  for (const name of durations) atLeast(name, settings[name], 0)
  atLeast('compressionThreadsMax', settings.compressionThreadsMax, 0)
  for (const name of ['inFlightMax', 'queueMax', 'responseBytesMax'] as const)
    atLeast(name, settings[name], 1)
  return settings
}

const durations = [
  'requestTimeoutMs',
  'connectTimeoutMs',
  'callTimeoutMs',
  'bootstrapTimeoutMs',
  'topicTimeoutMs',
  'retryBackoffMs',
  'retryBackoffMaxMs',
  'leaderBackoffMs',
  'metadataMaxAgeMs',
] as const

/** Without what is undefined, so that a default is not overwritten by it. */
export function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}

/** @throws InvalidArgument */
export function atLeast(name: string, value: number, min: number): void {
  if (!(value >= min)) throw new InvalidArgument(`${name} must be a number of at least ${min}, not ${value}`)
}
