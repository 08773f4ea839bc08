/**
 * The cluster as the parts of a client see it: ask any broker, the controller, a leader or a coordinator, with retries.
 */
import { FindCoordinator } from '../src/protocol/apis/find-coordinator.ts'
import type { AnyApi, ResponseOf } from '../src/protocol/notation.ts'
import { pauseAfter } from './backoff.ts'
import { Brokers, type Lane } from './brokers.ts'
import { Compressor } from './compressor.ts'
import type { RequestFor } from './connection.ts'
import { channels } from './diagnostics.ts'
import {
  Aborted,
  asKafkaError,
  BrokerRefused,
  ClientClosed,
  type KafkaError,
  refused,
  TimedOut,
} from './errors.ts'
import { Lifetime } from './lifetime.ts'
import { Metadata, type TopicMetadata } from './metadata.ts'
import type { ClientSettings } from './settings.ts'
import type { Clock } from './transport.ts'

export type Target = number | 'any' | 'controller'

/** A producer or a consumer. */
export interface Part {
  close(options: { timeoutMs?: number }): Promise<void>
}

export interface RequestOptions {
  readonly lane?: Lane
  readonly timeoutMs?: number
  /** The highest version to be used, below what both sides know. */
  readonly cap?: number
}

export class Cluster {
  readonly settings: ClientSettings
  readonly lifetime: Lifetime
  readonly brokers: Brokers
  readonly metadata: Metadata
  readonly compressor: Compressor
  /** The producers and consumers that are open. */
  readonly parts: Set<Part>
  #lastId = 0
  /** By group id. Bounded. */
  readonly #coordinators: Map<string, number>
  readonly #isScoped: boolean

  /** With `whole`: what the same cluster is to one call, with a life of its own. */
  constructor(settings: ClientSettings, whole: Cluster | null = null) {
    this.settings = settings
    this.lifetime = new Lifetime(settings.transport.clock)
    this.brokers = whole?.brokers ?? new Brokers(settings, this.lifetime)
    this.metadata = whole?.metadata ?? new Metadata(settings, this.brokers)
    const { compressionThreadsMax, transport } = settings
    this.compressor =
      whole?.compressor ?? new Compressor(compressionThreadsMax, transport.threads, this.lifetime)
    this.parts = whole?.parts ?? new Set()
    this.#coordinators = whole === null ? new Map() : whole.#coordinators
    this.#isScoped = whole !== null
  }

  /** Runs a call that ends with `signal`, and whose retries end after `timeoutMs`. */
  async scoped<T>(
    what: string,
    scope: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined },
    call: (cluster: Cluster) => Promise<T>,
  ): Promise<T> {
    const { signal, timeoutMs } = scope
    if (signal === undefined && timeoutMs === undefined) return call(this)
    if (signal?.aborted === true) throw new Aborted(what, signal.reason)
    const callTimeoutMs = timeoutMs ?? this.settings.callTimeoutMs
    const cluster = new Cluster({ ...this.settings, callTimeoutMs }, this)
    const abort = (): void => cluster.lifetime.end(new Aborted(what, signal?.reason))
    const forget = this.lifetime.onEnd((reason) => cluster.lifetime.end(reason))
    signal?.addEventListener('abort', abort)
    try {
      return await call(cluster)
    } finally {
      forget()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** A producer or consumer begins; returns what to call when it has ended. */
  adopt(part: Part, life: { end(reason: KafkaError): void }): () => void {
    this.parts.add(part)
    const forget = this.lifetime.onEnd((reason) => life.end(reason))
    return () => {
      this.parts.delete(part)
      forget()
    }
  }

  /** A number of its own for each part that wants one. */
  nextId(): number {
    return this.#lastId++
  }

  get clock(): Clock {
    return this.settings.transport.clock
  }

  close(): void {
    this.lifetime.end(new ClientClosed('client'))
  }

  /** One request, one attempt. */
  async request<A extends AnyApi>(
    target: Target,
    api: A,
    request: RequestFor<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<A>> {
    const connection = await this.#connection(target, options.lane ?? 'main')
    return connection.request(api, request, options.timeoutMs ?? this.settings.requestTimeoutMs, options.cap)
  }

  async #connection(target: Target, lane: Lane) {
    if (typeof target === 'number') {
      if (this.brokers.address(target) === undefined) await this.metadata.refresh()
      return this.brokers.connection(target, lane)
    }
    if (target === 'any') return this.brokers.any()
    if (this.metadata.controllerId < 0) await this.metadata.refresh()
    return this.metadata.controllerId < 0
      ? this.brokers.any()
      : this.brokers.connection(this.metadata.controllerId, lane)
  }

  /**
   * Runs `attempt` until it succeeds, fails for good, or `timeoutMs` is over. Between attempts it waits a growing while and
   * drops knowledge that the error proves wrong.
   * @throws what the last attempt threw when it is final, else TimedOut with it as the cause
   */
  async retry<T>(
    what: string,
    attempt: (remainingMs: number) => Promise<T>,
    options: { timeoutMs?: number; isFinal?: (error: KafkaError) => boolean } = {},
  ): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.settings.callTimeoutMs
    const start = this.clock.monotonic()
    for (let failures = 0; ; failures++) {
      this.lifetime.check()
      const remaining = start + timeoutMs - this.clock.monotonic()
      try {
        const outcome = attempt(Math.max(remaining, 1))
        return await (this.#isScoped ? this.lifetime.race(outcome) : outcome)
      } catch (thrown) {
        this.lifetime.check()
        const error = asKafkaError(thrown)
        if (!error.retriable || options.isFinal?.(error) === true) throw error
        this.forget(error)
        const elapsed = this.clock.monotonic() - start
        // Nobody has ever answered: more likely a wrong address than a broker about to come back.
        if (!this.brokers.hasConnected && elapsed >= this.settings.bootstrapTimeoutMs) throw error
        const pause = pauseAfter(error, failures, this.settings, this.settings.transport.random)
        if (elapsed + pause >= timeoutMs) {
          throw failures === 0 ? error : new TimedOut(what, timeoutMs, { cause: error })
        }
        if (channels.retried.hasSubscribers) {
          const { clientId } = this.settings
          channels.retried.publish({ clientId, what, failures: failures + 1, pauseMs: pause, error })
        }
        await this.lifetime.sleep(pause)
      }
    }
  }

  /** Drops what an error proves wrong: who leads, who coordinates. */
  forget(error: KafkaError): void {
    switch (error.code) {
      case 'NOT_COORDINATOR':
      case 'COORDINATOR_NOT_AVAILABLE':
        this.#coordinators.clear()
        break
      case 'NETWORK_EXCEPTION':
      case 'REQUEST_TIMED_OUT':
      case 'BROKER_NOT_AVAILABLE':
        this.#coordinators.clear()
        this.metadata.invalidate()
        break
      case 'NOT_LEADER_OR_FOLLOWER':
      case 'LEADER_NOT_AVAILABLE':
      case 'REPLICA_NOT_AVAILABLE':
      case 'UNKNOWN_TOPIC_OR_PARTITION':
      case 'UNKNOWN_TOPIC_ID':
      case 'INCONSISTENT_TOPIC_ID':
      case 'FENCED_LEADER_EPOCH':
      case 'UNKNOWN_LEADER_EPOCH':
      case 'KAFKA_STORAGE_ERROR':
      case 'LISTENER_NOT_FOUND':
      case 'NOT_CONTROLLER':
        this.metadata.invalidate()
        break
    }
  }

  /** The topic, waiting a while for one that is not there (yet). */
  topic(name: string, options: { create?: boolean } = {}): Promise<TopicMetadata> {
    const known = this.metadata.known(name)
    if (known !== undefined) return Promise.resolve(known)
    return this.patiently(`topic ${name}`, () => this.metadata.topic(name, options))
  }

  /** As `retry`, but a topic that is not there counts as final after `topicTimeoutMs`. */
  patiently<T>(what: string, attempt: (remainingMs: number) => Promise<T>, timeoutMs?: number): Promise<T> {
    const until = this.clock.monotonic() + this.settings.topicTimeoutMs
    return this.retry(what, attempt, {
      ...(timeoutMs !== undefined && { timeoutMs }),
      isFinal: (error) => isMissingTopic(error) && this.clock.monotonic() >= until,
    })
  }

  /** The broker that coordinates a group, in one attempt. */
  async coordinator(groupId: string): Promise<number> {
    const known = this.#coordinators.get(groupId)
    if (known !== undefined) return known
    const response = await this.request('any', FindCoordinator, (version) =>
      version >= 4
        ? { keyType: 0, coordinatorKeys: [groupId] }
        : { key: groupId, ...(version >= 1 && { keyType: 0 }) },
    )
    const found = response.coordinators[0] ?? response
    if (found.errorCode !== 0) throw refused(found.errorCode, `group ${groupId}`, found.errorMessage)
    this.brokers.add(found)
    if (this.#coordinators.size >= 1_000) this.#coordinators.clear()
    this.#coordinators.set(groupId, found.nodeId)
    return found.nodeId
  }

  /** One request to a group's coordinator, one attempt. */
  async requestCoordinator<A extends AnyApi>(
    groupId: string,
    api: A,
    request: RequestFor<A>,
    options: RequestOptions = {},
  ): Promise<ResponseOf<A>> {
    return this.request(await this.coordinator(groupId), api, request, options)
  }
}

function isMissingTopic(error: KafkaError): boolean {
  return error instanceof BrokerRefused && error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
}
