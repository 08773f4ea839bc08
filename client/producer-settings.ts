/** The settings of a producer, with their defaults. Kafka's name of each is in its comment where there is one. */
import { type Codec, codecs } from '../src/records/codecs.ts'
import { InvalidArgument } from './errors.ts'
import type { Partitioner } from './partitioner.ts'
import { atLeast, given } from './settings.ts'

export interface ProducerOptions {
  /** acks: 'all' (stored by a majority), 1 (by the leader), 0 (no answer at all: nobody knows). */
  readonly acks?: 0 | 1 | 'all'
  /** enable.idempotence: no retry stores a record twice. On, unless acks is not 'all'. */
  readonly idempotent?: boolean
  /** compression.type */
  readonly compression?: Codec
  /** compression.*.level, on the codec's own scale. */
  readonly compressionLevel?: number
  /** batch.size, before compression. A batch becomes as large as this only while its broker is busy. */
  readonly batchBytesMax?: number
  /** linger.ms: how long a batch waits for more records. 0: until the end of the turn, and while requests are under way. */
  readonly lingerMs?: number
  /** max.request.size; also the largest record. */
  readonly requestBytesMax?: number
  /** buffer.memory: records accepted and not yet acknowledged; above it sends wait. */
  readonly bufferBytesMax?: number
  /** Records that may wait for room; above it they are refused with BUFFER_EXHAUSTED. */
  readonly waitingMax?: number
  /** max.block.ms: how long a record may wait for room. */
  readonly waitTimeoutMs?: number
  /** delivery.timeout.ms: from acceptance to the answer, with all retries. */
  readonly deliveryTimeoutMs?: number
  /** request.timeout.ms; the client's when absent. */
  readonly requestTimeoutMs?: number
  /** max.in.flight.requests.per.connection, also per partition; at most 5 when idempotent. */
  readonly inFlightMax?: number
  /** Ask for missing topics to be created (if the cluster does). */
  readonly createTopics?: boolean
  /** Before the default, which is Java's: murmur2 of the key, sticky without one. */
  readonly partitioner?: Partitioner
}

export interface ProducerSettings
  extends Required<Omit<ProducerOptions, 'acks' | 'compressionLevel' | 'partitioner'>> {
  readonly acks: 0 | 1 | -1
  readonly compressionLevel: number | undefined
  readonly partitioner: Partitioner | undefined
}

/** How far back brokers recognise a batch: the window of five. */
const idempotentInFlightMax = 5

/** @throws InvalidArgument naming the setting */
export function producerSettingsOf(options: ProducerOptions, requestTimeoutMs: number): ProducerSettings {
  const acks = options.acks ?? 'all'
  const settings: ProducerSettings = {
    idempotent: acks === 'all',
    compression: 'none',
    batchBytesMax: 1_000_000,
    lingerMs: 0,
    requestBytesMax: 1024 * 1024,
    bufferBytesMax: 32 * 1024 * 1024,
    waitingMax: 1_000_000,
    waitTimeoutMs: 60_000,
    deliveryTimeoutMs: 120_000,
    requestTimeoutMs,
    inFlightMax: 5,
    createTopics: true,
    compressionLevel: undefined,
    partitioner: undefined,
    ...given(options),
    acks: acks === 'all' ? -1 : acks,
  }
  if (![0, 1, 'all'].includes(acks)) throw new InvalidArgument(`acks must be 0, 1 or 'all', not ${acks}`)
  if (!codecs.includes(settings.compression)) {
    throw new InvalidArgument(`compression must be one of ${codecs.join(', ')}, not ${settings.compression}`)
  }
  if (settings.idempotent && acks !== 'all') throw new InvalidArgument("idempotent needs acks 'all'")
  if (settings.idempotent && settings.inFlightMax > idempotentInFlightMax) {
    throw new InvalidArgument(`inFlightMax must be at most ${idempotentInFlightMax} when idempotent`)
  }
  for (const name of ['batchBytesMax', 'requestBytesMax', 'bufferBytesMax', 'inFlightMax'] as const) {
    atLeast(name, settings[name], 1)
  }
  const durations = [
    'lingerMs',
    'waitingMax',
    'waitTimeoutMs',
    'deliveryTimeoutMs',
    'requestTimeoutMs',
  ] as const
  for (const name of durations) atLeast(name, settings[name], 0)
  return settings
}
