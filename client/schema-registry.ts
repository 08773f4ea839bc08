/**
 * A schema registry's HTTP API, as far as serdes need it: schemas by id, ids by schema. Both never change, so both are kept;
 * calls for the same that come while one is under way share it. Nothing of a failure is kept.
 * @source https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
import { backoff } from './backoff.ts'
import { InvalidArgument, RegistryFailed } from './errors.ts'
import { atLeast, given } from './settings.ts'
import { nodeTransport, type Transport } from './transport.ts'

export interface SchemaRegistryOptions {
  /** Several: the next is asked when one does not answer. */
  readonly url: string | readonly string[]
  readonly auth?: { readonly username: string; readonly password: string } | { readonly token: string }
  /** Of one request. */
  readonly timeoutMs?: number
  /** How often all addresses are tried when none answers. */
  readonly attemptsMax?: number
  /** Schemas, and ids, that are remembered. */
  readonly cacheMax?: number
  readonly fetch?: typeof globalThis.fetch
  readonly transport?: Transport
}

export interface SchemaReference {
  /** As the schema names it. */
  readonly name: string
  readonly subject: string
  readonly version: number
}

export interface RegisteredSchema {
  readonly schema: string
  /** AVRO, JSON, PROTOBUF */
  readonly schemaType: string
  readonly references: readonly SchemaReference[]
}

export interface SchemaVersion extends RegisteredSchema {
  readonly subject: string
  readonly id: number
  readonly version: number
}

type Settings = Required<Omit<SchemaRegistryOptions, 'url' | 'auth'>>

export class SchemaRegistry {
  readonly #urls: readonly string[]
  readonly #headers: Readonly<Record<string, string>>
  readonly #settings: Settings
  readonly #schemas = new Map<number, Promise<RegisteredSchema>>()
  readonly #ids = new Map<string, Promise<number>>()
  /** Of the address that answered last. */
  #current = 0

  /** @throws InvalidArgument */
  constructor(options: SchemaRegistryOptions) {
    const { url, auth, ...others } = options
    this.#urls = (typeof url === 'string' ? url.split(',') : url).map((text) =>
      text.trim().replace(/\/+$/, ''),
    )
    for (const text of this.#urls) {
      if (!URL.canParse(text) || !/^https?:/.test(text))
        throw new InvalidArgument(`url: '${text}' is not an address`)
    }
    if (this.#urls.length === 0) throw new InvalidArgument('url must name at least one address')
    this.#headers = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      'content-type': 'application/vnd.schemaregistry.v1+json',
      ...(auth !== undefined && { authorization: authorization(auth) }),
    }
    this.#settings = {
      timeoutMs: 10_000,
      attemptsMax: 3,
      cacheMax: 1_000,
      fetch: globalThis.fetch,
      transport: nodeTransport,
      ...given(others),
    }
    for (const name of ['timeoutMs', 'attemptsMax', 'cacheMax'] as const)
      atLeast(name, this.#settings[name], 1)
  }

  /** @throws RegistryFailed: 40403 when there is no such id */
  schema(id: number): Promise<RegisteredSchema> {
    return this.#remember(this.#schemas, id, async () => {
      const answer = await this.#ask<Partial<RegisteredSchema>>('GET', `/schemas/ids/${id}`)
      return complete(answer)
    })
  }

  /** The schema's id, given one when it is new. @throws RegistryFailed: 409 when it is not compatible with those before */
  register(subject: string, schema: string, references: readonly SchemaReference[] = []): Promise<number> {
    return this.#id(`register ${subject} ${schema}`, `/subjects/${encodeURIComponent(subject)}/versions`, {
      schema,
      references,
    })
  }

  /** The id of a schema that must be there. @throws RegistryFailed: 40403 when it is not */
  lookup(subject: string, schema: string, references: readonly SchemaReference[] = []): Promise<number> {
    return this.#id(`lookup ${subject} ${schema}`, `/subjects/${encodeURIComponent(subject)}`, {
      schema,
      references,
    })
  }

  /** Asked anew each time when it is 'latest'. @throws RegistryFailed: 40401 no such subject, 40402 no such version */
  async version(subject: string, version: number | 'latest'): Promise<SchemaVersion> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
    const answer = await this.#ask<Partial<RegisteredSchema> & { id: number; version: number }>('GET', path)
    return { ...complete(answer), subject, id: answer.id, version: answer.version }
  }

  #id(key: string, path: string, body: { schema: string; references: readonly SchemaReference[] }) {
    return this.#remember(this.#ids, key, async () => {
      const { schema, references } = body
      const sent = references.length === 0 ? { schema } : { schema, references }
      return (await this.#ask<{ id: number }>('POST', path, sent)).id
    })
  }

  #remember<K, V>(cache: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
    const known = cache.get(key)
    if (known !== undefined) return known
    // The oldest goes: a process has few schemas, and what goes is asked again.
    const [oldest] = cache.keys()
    if (cache.size >= this.#settings.cacheMax && oldest !== undefined) cache.delete(oldest)
    const asked = ask()
    cache.set(key, asked)
    asked.catch(() => cache.delete(key))
    return asked
  }

  async #ask<A>(method: string, path: string, body?: object): Promise<A> {
    const { attemptsMax, transport } = this.#settings
    for (let failures = 0; ; failures++) {
      try {
        return (await this.#askAny(method, path, body)) as A
      } catch (cause) {
        if (!(cause instanceof RegistryFailed) || !cause.retriable || failures + 1 >= attemptsMax) throw cause
        const pause = backoff(failures, { retryBackoffMs: 100, retryBackoffMaxMs: 1_000 }, transport.random)
        await new Promise<void>((resolve) => transport.clock.setTimer(pause, resolve))
      }
    }
  }

  /** Each address once, beginning with the one that answered last. */
  async #askAny(method: string, path: string, body: object | undefined): Promise<unknown> {
    let last: unknown
    for (let i = 0; i < this.#urls.length; i++) {
      const index = (this.#current + i) % this.#urls.length
      try {
        const answer = await this.#askOne(`${this.#urls[index]}${path}`, method, body)
        this.#current = index
        return answer
      } catch (cause) {
        if (!(cause instanceof RegistryFailed) || !cause.retriable) throw cause
        last = cause
      }
    }
    throw last
  }

  async #askOne(url: string, method: string, body: object | undefined): Promise<unknown> {
    const { fetch, timeoutMs } = this.#settings
    let status = 0
    let text: string
    try {
      const response = await fetch(url, {
        method,
        headers: this.#headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      status = response.status
      text = await response.text()
    } catch (cause) {
      throw new RegistryFailed(`schema registry: no answer to ${method} ${url}: ${reasonOf(cause)}`, 0, 0, {
        cause,
      })
    }
    const answer = parsed(text)
    if (status >= 200 && status < 300 && answer !== null) return answer
    const { error_code: errorCode = 0, message } = (answer ?? {}) as { error_code?: number; message?: string }
    // Success that cannot be read is no registry's.
    const why = message ?? (status < 300 ? 'the answer is not JSON' : text.slice(0, 200))
    throw new RegistryFailed(`schema registry: ${method} ${url}: ${why} (${status})`, status, errorCode)
  }
}

function complete(answer: Partial<RegisteredSchema>): RegisteredSchema {
  const { schema, schemaType = 'AVRO', references = [] } = answer
  if (typeof schema !== 'string')
    throw new RegistryFailed('schema registry: the answer has no schema', 200, 0)
  return { schema, schemaType, references }
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

function authorization(auth: NonNullable<SchemaRegistryOptions['auth']>): string {
  if ('token' in auth) return `Bearer ${auth.token}`
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`
}

/** What fetch rejects with says little; its cause says why. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error && thrown.cause.message !== '' ? thrown.cause.message : thrown.message
}
