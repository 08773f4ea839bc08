/**
 * A connection for load: frames are made beforehand and answers only counted, so that what is measured is the broker. Speaks
 * to any Kafka.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Reader, Writer } from '../../src/base/bytes.ts'
import { decodeResponseHeader, encodeRequestHeader } from '../../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'

/** What stands at the beginning of an answer is all that a load looks at. */
export type OnAnswer = (head: Buffer, size: number) => void

/** A whole request frame, its size first; correlation ids are not needed, for answers come in order. */
export function frameOf<A extends AnyApi>(api: A, version: number, body: RequestInput<A>): Buffer {
  const writer = new Writer()
  const header = { apiKey: api.key, apiVersion: version, correlationId: 0, clientId: 'lograft-bench' }
  encodeRequestHeader(writer, header, api.requestHeaderVersion(version))
  api.encodeRequest(writer, body as never, version)
  const payload = writer.toBuffer()
  const frame = Buffer.allocUnsafe(4 + payload.length)
  frame.writeInt32BE(payload.length, 0)
  payload.copy(frame, 4)
  return frame
}

const headBytesMax = 512

export class LoadConnection {
  readonly #socket: Socket
  readonly #waiting: OnAnswer[] = []
  #waitingAt = 0
  #whole: ((answer: Buffer) => void) | null = null
  /** Bytes of the current answer that are still to come; its head so far. */
  #left = 0
  #size = 0
  #head: Buffer = Buffer.alloc(0)
  #pieces: Buffer[] = []
  #sizeBytes = Buffer.alloc(0)
  onFault: (error: Error) => void = (error) => {
    throw error
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => this.onFault(error))
    socket.on('close', () => {
      if (this.#waitingAt < this.#waiting.length) this.onFault(new Error('the broker closed the connection'))
    })
  }

  static async open(bootstrap: string): Promise<LoadConnection> {
    const colon = bootstrap.lastIndexOf(':')
    const socket = connect(Number(bootstrap.slice(colon + 1)), bootstrap.slice(0, colon))
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new LoadConnection(socket)
  }

  /** Sends a frame as it is. The buffer is not copied: it may be sent again and again. */
  send(frame: Buffer, onAnswer: OnAnswer): void {
    this.#waiting.push(onAnswer)
    this.#socket.write(frame)
  }

  /** Sends what nobody answers. False: wait until it has `drained` before sending more. */
  sendUnanswered(frame: Buffer): boolean {
    return this.#socket.write(frame)
  }

  async drained(): Promise<void> {
    await once(this.#socket, 'drain')
  }

  /** One request with its decoded answer: for what is not load. */
  async ask<A extends AnyApi>(api: A, version: number, body: RequestInput<A>): Promise<ResponseOf<A>> {
    const answer = await new Promise<Buffer>((resolve) => {
      this.#whole = resolve
      this.send(frameOf(api, version, body), () => {})
    })
    const reader = new Reader(answer)
    decodeResponseHeader(reader, api.responseHeaderVersion(version))
    return api.decodeResponse(reader, version) as ResponseOf<A>
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left === 0) {
        const need = 4 - this.#sizeBytes.length
        this.#sizeBytes = Buffer.concat([this.#sizeBytes, chunk.subarray(at, at + need)])
        at += Math.min(need, chunk.length - at)
        if (this.#sizeBytes.length < 4) return
        this.#size = this.#sizeBytes.readInt32BE(0)
        this.#left = this.#size
        this.#sizeBytes = Buffer.alloc(0)
        this.#head = Buffer.alloc(0)
        continue
      }
      const piece = chunk.subarray(at, at + this.#left)
      if (this.#whole !== null) this.#pieces.push(piece)
      if (this.#head.length < headBytesMax) {
        this.#head =
          this.#head.length === 0 ? piece : Buffer.concat([this.#head, piece.subarray(0, headBytesMax)])
      }
      at += piece.length
      this.#left -= piece.length
      if (this.#left === 0) this.#answered()
    }
  }

  #answered(): void {
    const onAnswer = this.#waiting[this.#waitingAt]
    this.#waitingAt++
    if (this.#waitingAt > 4096) {
      this.#waiting.splice(0, this.#waitingAt)
      this.#waitingAt = 0
    }
    const whole = this.#whole
    if (whole !== null) {
      this.#whole = null
      const answer = Buffer.concat(this.#pieces)
      this.#pieces = []
      whole(answer)
    }
    onAnswer?.(this.#head, this.#size)
  }
}
