/**
 * The protocol by hand, for what no client would send and for facts that clients hide. Deliberately not src/protocol: bytes written
 * from Kafka's own message definitions must agree with ours, and a shared mistake would hide itself.
 */
import { connect, type Socket } from 'node:net'

/** Big-endian bytes, one call per field in wire order. */
export class Out {
  readonly #parts: Buffer[] = []

  int8(value: number): this {
    return this.#put(1, (b) => b.writeInt8(value))
  }
  int16(value: number): this {
    return this.#put(2, (b) => b.writeInt16BE(value))
  }
  int32(value: number): this {
    return this.#put(4, (b) => b.writeInt32BE(value))
  }
  int64(value: bigint | number): this {
    return this.#put(8, (b) => b.writeBigInt64BE(BigInt(value)))
  }
  uvarint(value: number): this {
    const bytes: number[] = []
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
    return this.raw(Buffer.from([...bytes, rest]))
  }
  /** Zig-zag, as inside record batches. */
  varint(value: number): this {
    return this.uvarint(value < 0 ? -2 * value - 1 : 2 * value)
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    return this.int16(bytes.length).raw(bytes)
  }
  compactString(value: string): this {
    const bytes = Buffer.from(value)
    return this.uvarint(bytes.length + 1).raw(bytes)
  }
  bytes(value: Buffer | null): this {
    return value === null ? this.int32(-1) : this.int32(value.length).raw(value)
  }
  raw(value: Buffer): this {
    this.#parts.push(value)
    return this
  }
  done(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #put(size: number, write: (buffer: Buffer) => void): this {
    const buffer = Buffer.alloc(size)
    write(buffer)
    return this.raw(buffer)
  }
}

export const out = (): Out => new Out()

/** Reads what `Out` writes. @throws RangeError past the end: the answer was shorter than its fields. */
export class In {
  readonly buffer: Buffer
  at = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  get left(): number {
    return this.buffer.length - this.at
  }
  int8(): number {
    return this.buffer.readInt8(this.#next(1))
  }
  int16(): number {
    return this.buffer.readInt16BE(this.#next(2))
  }
  int32(): number {
    return this.buffer.readInt32BE(this.#next(4))
  }
  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#next(8))
  }
  uvarint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.buffer.readUInt8(this.#next(1))
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  varint(): number {
    const value = this.uvarint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
  string(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.take(length).toString()
  }
  compactString(): string | null {
    const length = this.uvarint()
    return length === 0 ? null : this.take(length - 1).toString()
  }
  take(length: number): Buffer {
    return this.buffer.subarray(this.#next(length), this.at)
  }
  array<Item>(item: () => Item): Item[] {
    return Array.from({ length: Math.max(0, this.int32()) }, item)
  }
  compactArray<Item>(item: () => Item): Item[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, item)
  }
  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.take(this.uvarint())
    }
  }

  #next(size: number): number {
    const at = this.at
    if (at + size > this.buffer.length)
      throw new RangeError(`the answer ends at ${this.buffer.length}, a field wants ${at + size}`)
    this.at += size
    return at
  }
}

/** A request frame. `header`: 1 for the plain versions, 2 for the flexible ones. */
export function frame(
  key: number,
  version: number,
  body: Buffer,
  correlationId = 1,
  header: 1 | 2 = 1,
): Buffer {
  const head = out().int16(key).int16(version).int32(correlationId).string('lograft-wire')
  if (header === 2) head.uvarint(0)
  return sized(head.raw(body).done())
}

export const sized = (payload: Buffer): Buffer => out().bytes(payload).done()

export interface Response {
  correlationId: number
  body: Buffer
}

/** One connection whose bytes the test chooses. */
export class Wire {
  readonly socket: Socket
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #over = false
  #wake: () => void = () => {}
  #correlationId = 0
  /** Who asked first gets the first response: requests may be sent without waiting. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    socket.on('error', () => {}) // a reset is one way to close; 'close' follows
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = true
        this.#wake()
        resolve()
      })
    })
  }

  static async open(bootstrap: string): Promise<Wire> {
    const [host, port] = bootstrap.split(':')
    const socket = connect(Number(port), host)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Wire(socket)
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  /** The next response: its correlation id and what follows it; null when the other side closed instead. */
  receive(timeoutMs = 10_000): Promise<Response | null> {
    const next = this.#turn.then(() => this.#next(timeoutMs))
    this.#turn = next.catch(() => {})
    return next
  }

  async #next(timeoutMs: number): Promise<Response | null> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const size = this.#received.length >= 4 ? this.#received.readInt32BE(0) : Number.POSITIVE_INFINITY
      if (this.#received.length >= size + 4) {
        const payload = this.#received.subarray(4, size + 4)
        this.#received = this.#received.subarray(size + 4)
        return { correlationId: payload.readInt32BE(0), body: payload.subarray(4) }
      }
      if (this.#over) return null
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`no response and no close within ${timeoutMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** One request, its response body (after the response header, of version 1 for header version 2). @throws when closed. */
  async ask(key: number, version: number, body: Buffer, header: 1 | 2 = 1): Promise<In> {
    const correlationId = ++this.#correlationId
    this.send(frame(key, version, body, correlationId, header))
    const response = await this.receive()
    if (response === null) throw new Error(`the broker closed on request ${key} v${version}`)
    if (response.correlationId !== correlationId)
      throw new Error(`answer ${response.correlationId} to request ${correlationId}`)
    const fields = new In(response.body)
    if (header === 2 && key !== 18) fields.tags()
    return fields
  }

  close(): void {
    this.socket.destroy()
  }
}
