/**
 * Producers and consumers of declared topics.
 *
 *     const shop = client.typed({ orders: { key: string, value: json<Order>() } })
 *     await shop.producer().send('orders', order, { key: order.id })
 *     for await (const { topic, value } of shop.consumer({ topics: ['orders'] })) ...
 */
import { messageOf } from '../src/base/errors.ts'
import type { CallOptions } from './abort.ts'
import type { Consumer } from './consumer.ts'
import type { ConsumerOptions } from './consumer-settings.ts'
import { InvalidArgument, KafkaError, SerdeFailed } from './errors.ts'
import type { ConsumerRecord } from './partition-reader.ts'
import type { Producer } from './producer.ts'
import type { ProducerOptions } from './producer-settings.ts'
import type { Bytes, Headers, RecordPlace } from './record.ts'
import type { KeyOf, Serde, SerdeContext, TopicType, TopicTypes, ValueOf } from './serdes.ts'

export type TopicName<T extends TopicTypes> = keyof T & string

/** One of the topics' records: `topic` tells which, and with it the types of key and value. */
export type TypedRecord<T extends TopicTypes, N extends TopicName<T> = TopicName<T>> = {
  [M in N]: Omit<ConsumerRecord, 'topic' | 'key' | 'value'> & {
    readonly topic: M
    readonly key: KeyOf<T[M]>
    readonly value: ValueOf<T[M]>
  }
}[N]

export type SendOptions<D extends TopicType> = CallOptions & {
  readonly partition?: number
  readonly headers?: Headers
  readonly timestamp?: number
} & (D extends TopicType & { readonly key: Serde<unknown> }
    ? null extends KeyOf<D>
      ? { readonly key?: KeyOf<D> }
      : { readonly key: KeyOf<D> }
    : { readonly key?: Bytes | null })

/** Left out when nothing in it must be given. */
type Rest<O> = Record<string, never> extends Pick<O, RequiredKeys<O>> ? [options?: O] : [options: O]
type RequiredKeys<O> = { [K in keyof O]-?: undefined extends O[K] ? never : K }[keyof O]

export class TypedProducer<T extends TopicTypes> {
  /** For all that is not typed: flush, bufferedBytes. */
  readonly producer: Producer
  readonly #topics: T
  /** Records whose bytes are not there yet: who comes later must not overtake them. */
  #pending = 0
  #tail: Promise<unknown> = Promise.resolve()

  /** Made by `client.typed(topics).producer()`. */
  constructor(producer: Producer, topics: T) {
    this.producer = producer
    this.#topics = topics
  }

  /** @throws SerdeFailed when key or value do not fit, else as `Producer.send` */
  async send<N extends TopicName<T>>(
    topic: N,
    value: ValueOf<T[N]>,
    ...rest: Rest<SendOptions<T[N]>>
  ): Promise<RecordPlace> {
    const declared = typeNamed(this.#topics, topic)
    const { key, partition, headers, timestamp, signal } = (rest[0] ?? {}) as SendOptions<TopicType>
    const encodedKey = encode(declared, { topic, part: 'key' }, key)
    const encodedValue = encode(declared, { topic, part: 'value' }, value)
    const send = (k: Bytes | null, v: Bytes | null): Promise<RecordPlace> =>
      this.producer.send({ topic, key: k, value: v, partition, headers, timestamp }, { signal })
    if (this.#pending === 0 && !(encodedKey instanceof Promise) && !(encodedValue instanceof Promise)) {
      return send(encodedKey, encodedValue)
    }
    this.#pending++
    const before = this.#tail
    const encoded = Promise.all([encodedKey, encodedValue])
    const turn = Promise.allSettled([before, encoded]).finally(() => {
      this.#pending--
    })
    this.#tail = turn
    await turn
    return send(...(await encoded))
  }

  flush(): Promise<void> {
    return this.#tail.then(() => this.producer.flush())
  }

  async close(options: { timeoutMs?: number } = {}): Promise<void> {
    await this.#tail
    await this.producer.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

export type TypedConsumerOptions<N extends string> = Omit<ConsumerOptions, 'topics' | 'assignments'> & {
  readonly topics: readonly N[]
  /**
   * Takes what cannot be read, to log it or set it aside; then the loop goes on. Without it, the loop throws the error; the
   * next loop goes on behind that record.
   */
  readonly undecodable?: (error: SerdeFailed, record: ConsumerRecord) => void | Promise<void>
}

export class TypedConsumer<T extends TopicTypes, N extends TopicName<T>>
  implements AsyncIterable<TypedRecord<T, N>>
{
  /** For all that is not typed: commit, seek, pause, positions. */
  readonly consumer: Consumer
  readonly #topics: T
  readonly #undecodable: TypedConsumerOptions<N>['undecodable']

  /** Made by `client.typed(topics).consumer()`. */
  constructor(consumer: Consumer, topics: T, undecodable: TypedConsumerOptions<N>['undecodable']) {
    this.consumer = consumer
    this.#topics = topics
    this.#undecodable = undecodable
  }

  /** As of the Consumer. @throws SerdeFailed for a record that cannot be read */
  [Symbol.asyncIterator](): AsyncIterator<TypedRecord<T, N>> {
    const records = this.consumer[Symbol.asyncIterator]()
    return {
      next: async () => {
        for (;;) {
          const { value: record, done } = await records.next()
          if (done === true) return { value: undefined, done: true }
          try {
            return { value: await this.#decode(record), done: false }
          } catch (cause) {
            const error = unreadable(record, cause)
            if (this.#undecodable === undefined || !(error instanceof SerdeFailed)) {
              // In hand no more, and not processed.
              await records.return?.()
              throw error
            }
            await this.#undecodable(error, record)
          }
        }
      },
      return: async () => {
        await records.return?.()
        return { value: undefined, done: true }
      },
    }
  }

  close(options: { timeoutMs?: number } = {}): Promise<void> {
    return this.consumer.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #decode(record: ConsumerRecord): Promise<TypedRecord<T, N>> {
    const { topic } = record
    const declared = typeNamed(this.#topics, topic)
    let key =
      declared.key === undefined ? record.key : declared.key.deserialize(record.key, { topic, part: 'key' })
    if (key instanceof Promise) key = (await key) as unknown
    let value = declared.value.deserialize(record.value, { topic, part: 'value' })
    if (value instanceof Promise) value = (await value) as unknown
    return Object.assign(record, { key, value }) as unknown as TypedRecord<T, N>
  }
}

/** The client, as far as typed ones need it. */
interface PartMaker {
  producer(options: ProducerOptions): Producer
  consumer(options: ConsumerOptions): Consumer
}

/** A client that knows what is in its topics. */
export class TypedClient<T extends TopicTypes> {
  readonly #topics: T
  readonly #make: PartMaker

  /** Made by `client.typed(topics)`. */
  constructor(make: PartMaker, topics: T) {
    this.#make = make
    this.#topics = topics
  }

  producer(options: ProducerOptions = {}): TypedProducer<T> {
    return new TypedProducer(this.#make.producer(options), this.#topics)
  }

  consumer<N extends TopicName<T>>(options: TypedConsumerOptions<N>): TypedConsumer<T, N> {
    const { undecodable, ...others } = options
    for (const topic of options.topics) typeNamed(this.#topics, topic)
    return new TypedConsumer<T, N>(this.#make.consumer(others), this.#topics, undecodable)
  }
}

function typeNamed(topics: TopicTypes, name: string): TopicType {
  const found = Object.hasOwn(topics, name) ? topics[name] : undefined
  if (found === undefined) throw new InvalidArgument(`topic ${name} is not declared`)
  return found
}

function encode(
  declared: TopicType,
  context: SerdeContext,
  given: unknown,
): Bytes | null | Promise<Bytes | null> {
  const serde = context.part === 'key' ? declared.key : declared.value
  if (serde === undefined) return (given ?? null) as Bytes | null
  try {
    const encoded = serde.serialize(given ?? null, context)
    return encoded instanceof Promise ? encoded.catch((cause: unknown) => rethrow(cause, context)) : encoded
  } catch (cause) {
    return rethrow(cause, context)
  }
}

function rethrow(cause: unknown, { topic, part }: SerdeContext): never {
  if (cause instanceof KafkaError && !(cause instanceof SerdeFailed)) throw cause
  const why = messageOf(cause)
  throw new SerdeFailed(`a ${part} for topic ${topic} does not fit: ${why}`, { cause })
}

function unreadable({ topic, partition, offset }: ConsumerRecord, cause: unknown): KafkaError {
  // A registry that is down says nothing about the record.
  if (cause instanceof KafkaError && !(cause instanceof SerdeFailed)) return cause
  const why = messageOf(cause)
  return new SerdeFailed(`record ${topic}-${partition} at offset ${offset} cannot be read: ${why}`, { cause })
}
