/**
 * A broker made of a script, over a real socket: it speaks the protocol, keeps records in memory, checks sequences as Kafka
 * does, and misbehaves exactly where a test wants it to.
 */

import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { Reader, Writer } from '../../src/base/bytes.ts'
import { errorCode } from '../../src/base/error-codes.ts'
import { ApiVersions } from '../../src/protocol/apis/api-versions.ts'
import { InitProducerId } from '../../src/protocol/apis/init-producer-id.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { apiByKey } from '../../src/protocol/apis.ts'
import { decodeRequestHeader, encodeResponseHeader, peekApi } from '../../src/protocol/header.ts'
import type { AnyApi, RequestOf, ResponseInput } from '../../src/protocol/notation.ts'
import * as batch from '../../src/records/batch.ts'
import { type RecordView, readRecords } from '../../src/records/records.ts'

/** Instead of a response: none to this request, none to any on this connection, the end of the connection. */
export const silence: unique symbol = Symbol('silence')
export const stall: unique symbol = Symbol('stall')
export const hangUp: unique symbol = Symbol('hang up')
export type Action<A extends AnyApi> = ResponseInput<A> | typeof silence | typeof stall | typeof hangUp

export interface Call {
  readonly version: number
  readonly socket: Socket
}
type Handler = (request: never, call: Call) => unknown

/** What a producer's batches look like to a broker: KIP-98, as far as one partition goes. */
interface Numbering {
  epoch: number
  /** Of the last five batches: first sequence, last sequence, base offset. */
  recent: { first: number; last: number; baseOffset: number }[]
}

export class PartitionLog {
  readonly records: RecordView[] = []
  readonly #producers = new Map<number, Numbering>()

  /** @returns the error, or the base offset */
  append(bytes: Buffer): { error: string } | { baseOffset: number } {
    const producerId = batch.producerId(bytes, 0)
    const first = batch.baseSequence(bytes, 0)
    if (producerId < 0) return { baseOffset: this.#store(bytes) }
    const epoch = batch.producerEpoch(bytes, 0)
    const last = batch.lastSequence(bytes, 0)
    const known = this.#producers.get(producerId)
    if (known !== undefined && epoch < known.epoch) return { error: 'INVALID_PRODUCER_EPOCH' }
    if (known === undefined || epoch > known.epoch) {
      if (known !== undefined && first !== 0) return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }
      const baseOffset = this.#store(bytes)
      this.#producers.set(producerId, { epoch, recent: [{ first, last, baseOffset }] })
      return { baseOffset }
    }
    const duplicate = known.recent.find((entry) => entry.first === first && entry.last === last)
    if (duplicate !== undefined) return { baseOffset: duplicate.baseOffset }
    const previous = known.recent[known.recent.length - 1]
    if (previous === undefined || first !== previous.last + 1)
      return { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }
    const baseOffset = this.#store(bytes)
    known.recent = [...known.recent, { first, last, baseOffset }].slice(-5)
    return { baseOffset }
  }

  #store(bytes: Buffer): number {
    const baseOffset = this.records.length
    this.records.push(...readRecords(bytes, 0, { maxExpandedBytes: 1 << 30 }))
    return baseOffset
  }
}

export class ScriptedBroker {
  readonly #server: Server
  readonly #handlers = new Map<number, Handler>()
  readonly #sockets = new Set<Socket>()
  /** Every request that came, in order. */
  readonly seen: { api: string; version: number }[] = []
  readonly topics = new Map<string, { partitions: number; topicId: string }>()
  readonly logs = new Map<string, PartitionLog>()
  /** Replaces the protocol altogether. */
  onSocket: ((socket: Socket) => void) | null = null
  #producerIds = 1000

  private constructor(server: Server) {
    this.#server = server
  }

  static async listen(t: Test, topics: Readonly<Record<string, number>> = {}): Promise<ScriptedBroker> {
    const server = createServer((socket) => broker.#accept(socket))
    const broker = new ScriptedBroker(server)
    for (const [name, partitions] of Object.entries(topics)) broker.addTopic(name, partitions)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => broker.close())
    broker.on(ApiVersions, () => broker.apiVersions())
    broker.on(Metadata, (request) => broker.metadata(request))
    broker.on(InitProducerId, () => ({ errorCode: 0, producerId: broker.#producerIds++, producerEpoch: 0 }))
    broker.on(Produce, (request) => broker.produce(request))
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`
  }

  addTopic(name: string, partitions: number): void {
    const topicId = `00000000-0000-4000-8000-${String(this.topics.size + 1).padStart(12, '0')}`
    this.topics.set(name, { partitions, topicId })
  }

  on<A extends AnyApi>(
    api: A,
    handle: (request: RequestOf<A>, call: Call) => Action<A> | Promise<Action<A>>,
  ): void {
    this.#handlers.set(api.key, handle as Handler)
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  log(topic: string, partition: number): PartitionLog {
    const name = `${topic}-${partition}`
    const log = this.logs.get(name) ?? new PartitionLog()
    this.logs.set(name, log)
    return log
  }

  apiVersions(only: (api: AnyApi) => boolean = () => true): ResponseInput<typeof ApiVersions> {
    return {
      errorCode: 0,
      apiKeys: [...apiByKey.values()]
        .filter(only)
        .map(({ key, advertisedMin, max }) => ({ apiKey: key, minVersion: advertisedMin, maxVersion: max })),
    }
  }

  metadata(request: RequestOf<typeof Metadata>, leaderId = 1): ResponseInput<typeof Metadata> {
    const names = request.topics?.map(({ name }) => name ?? '') ?? [...this.topics.keys()]
    return {
      brokers: [{ nodeId: 1, host: '127.0.0.1', port: this.port, rack: null }],
      clusterId: 'scripted',
      controllerId: 1,
      topics: names.map((name) => {
        const topic = this.topics.get(name)
        if (topic === undefined)
          return { errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'), name, partitions: [] }
        const partitions = Array.from({ length: topic.partitions }, (_, partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId,
          leaderEpoch: 0,
          replicaNodes: [1],
          isrNodes: [1],
        }))
        return { errorCode: 0, name, topicId: topic.topicId, partitions }
      }),
    }
  }

  /** Appends as a broker does. */
  produce(request: RequestOf<typeof Produce>): ResponseInput<typeof Produce> {
    return {
      responses: request.topicData.map(({ name, partitionData }) => ({
        name,
        partitionResponses: partitionData.map(({ index, records }) => {
          const outcome = this.log(name, index).append(Buffer.concat([...(records ?? [])]))
          return 'error' in outcome
            ? { index, errorCode: errorCode(outcome.error as 'NONE'), baseOffset: -1, errorMessage: null }
            : { index, errorCode: 0, baseOffset: outcome.baseOffset, errorMessage: null }
        }),
      })),
    }
  }

  /** The same error for every partition of a request. */
  refuse(
    request: RequestOf<typeof Produce>,
    error: Parameters<typeof errorCode>[0],
  ): ResponseInput<typeof Produce> {
    return {
      responses: request.topicData.map(({ name, partitionData }) => ({
        name,
        partitionResponses: partitionData.map(({ index }) => ({
          index,
          errorCode: errorCode(error),
          baseOffset: -1,
          errorMessage: null,
        })),
      })),
    }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    if (this.onSocket !== null) {
      this.onSocket(socket)
      return
    }
    let buffered = Buffer.alloc(0)
    let order = Promise.resolve()
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const frame = buffered.subarray(4, 4 + buffered.readInt32BE(0))
        buffered = buffered.subarray(4 + frame.length)
        order = order.then(() => this.#answer(socket, frame))
      }
    })
  }

  async #answer(socket: Socket, frame: Buffer): Promise<void> {
    const { apiKey, apiVersion } = peekApi(frame)
    const api = apiByKey.get(apiKey)
    if (api === undefined) throw new Error(`no API ${apiKey}`)
    this.seen.push({ api: api.name, version: apiVersion })
    const reader = new Reader(frame)
    const { correlationId } = decodeRequestHeader(reader, api.requestHeaderVersion(apiVersion))
    const handle = this.#handlers.get(apiKey)
    if (handle === undefined) throw new Error(`the script has no ${api.name}`)
    const request = api.decodeRequest(reader, apiVersion)
    const action = await handle(request as never, { version: apiVersion, socket })
    if (action === hangUp) socket.destroy()
    if (action === stall) return new Promise<void>(() => {})
    if (action === hangUp || action === silence || socket.destroyed) return
    const writer = new Writer()
    writer.int32(0)
    encodeResponseHeader(writer, { correlationId }, api.responseHeaderVersion(apiVersion))
    api.encodeResponse(writer, action as never, apiVersion)
    writer.patchInt32(0, writer.size - 4)
    socket.write(writer.toBuffer())
  }
}
