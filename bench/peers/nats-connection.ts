/** A connection to NATS in its own text protocol, with one inbox: what is published is made beforehand, answers are only looked at. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/** An answer's payload lies in `chunk` at [from, to); the memory is the socket's and not to be kept. */
export type OnAnswer = (chunk: Buffer, from: number, to: number) => void

const newline = 10
const options = {
  verbose: false,
  pedantic: false,
  tls_required: false,
  headers: true,
  no_responders: true,
  lang: 'lograft-bench',
  version: '1',
}

export class NatsConnection {
  readonly inbox = `_INBOX.${randomBytes(8).toString('hex')}`
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #onPong = () => {}
  #isClosed = false
  onAnswer: OnAnswer = () => {}
  /** All that a turn brought has been answered for. */
  onTurn: () => void = () => {}
  onFault: (error: Error) => void = (error) => {
    throw error
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => this.onFault(error))
    socket.on('close', () => {
      if (!this.#isClosed) this.onFault(new Error('NATS closed the connection'))
    })
  }

  static async open(host: string, port: number): Promise<NatsConnection> {
    const socket = connect(port, host)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const connection = new NatsConnection(socket)
    await new Promise<void>((resolve, reject) => {
      connection.onFault = reject
      connection.#onPong = resolve
      connection.write(`CONNECT ${JSON.stringify(options)}\r\nSUB ${connection.inbox}.> 1\r\nPING\r\n`)
    })
    return connection
  }

  /** The buffer is not copied. */
  write(bytes: Buffer | string): void {
    this.#socket.write(bytes)
  }

  /** One request to JetStream, while nothing else is under way. @throws what it is refused with */
  async ask(subject: string, body: object): Promise<void> {
    const json = JSON.stringify(body)
    const answer = await new Promise<string>((resolve, reject) => {
      this.onFault = reject
      this.onAnswer = (chunk, from, to) => resolve(chunk.toString('utf8', from, to))
      this.write(`PUB ${subject} ${this.inbox}.ask ${Buffer.byteLength(json)}\r\n${json}\r\n`)
    })
    const { error } = JSON.parse(answer) as { error?: { description: string } }
    if (error !== undefined) throw new Error(`${subject}: ${error.description}`)
  }

  close(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }

  #receive(arrived: Buffer): void {
    const chunk = this.#rest.length === 0 ? arrived : Buffer.concat([this.#rest, arrived])
    let at = 0
    for (;;) {
      const lineEnd = chunk.indexOf(newline, at)
      if (lineEnd < 0) break
      const next = this.#take(chunk, at, lineEnd + 1)
      if (next < 0) break
      at = next
    }
    this.#rest = chunk.subarray(at)
    this.onTurn()
  }

  /** Where the next line begins; -1 when the payload is still to come. */
  #take(chunk: Buffer, from: number, lineEnd: number): number {
    switch (chunk[from]) {
      case 0x4d: {
        // MSG subject sid size
        const size = numberBefore(chunk, lineEnd - 2)
        if (lineEnd + size + 2 > chunk.length) return -1
        this.onAnswer(chunk, lineEnd, lineEnd + size)
        return lineEnd + size + 2
      }
      case 0x50: {
        // PING, PONG
        if (chunk[from + 1] === 0x49) this.write('PONG\r\n')
        else this.#onPong()
        return lineEnd
      }
      case 0x49:
        // INFO
        return lineEnd
      default:
        // -ERR, or HMSG: nobody keeps that subject.
        this.onFault(new Error(`NATS says ${chunk.toString('utf8', from, lineEnd).trimEnd()}`))
        return lineEnd
    }
  }
}

/** The decimal number that ends at `end`. */
function numberBefore(chunk: Buffer, end: number): number {
  let value = 0
  for (let i = end - 1, place = 1; ; i--, place *= 10) {
    const digit = (chunk[i] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return value
    value += digit * place
  }
}
