/** Both ends of a simulated connection, and the two streams of bytes between them. */
import { Faulted } from '../base/errors.ts'
import type { Clock, Connection } from '../io/world.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Gate } from './sim-gate.ts'
import type { SimPath } from './sim-path.ts'
import { Unread } from './unread.ts'

/** As Node: above it `write` answers false. */
const highWaterBytes = 16_384

export function netFault(operation: string, code: string): Faulted {
  return new Faulted('net', operation, { cause: Object.assign(new Error(`${code} ${operation}`), { code }) })
}

/**
 * One direction. Bytes wait at the writer until the window has room, travel in order, and wait unread at a reader that has paused;
 * only what was read makes room in the window, and only when the news of it has come back.
 */
class Stream {
  readonly #writer: SimConnection
  readonly #reader: SimConnection
  readonly #path: SimPath
  readonly #back: SimPath
  #pending: Buffer[] = []
  pendingBytes = 0
  #needsDrain = false
  #unreadBytes = 0
  /** On the way, in order; null is the end. */
  readonly #flight: (Buffer | null)[] = []
  #lastArrivalMs = 0
  #hasEnded = false
  #endSent = false

  constructor(writer: SimConnection, reader: SimConnection, path: SimPath, back: SimPath) {
    this.#writer = writer
    this.#reader = reader
    this.#path = path
    this.#back = back
  }

  write(buffers: readonly Buffer[]): boolean {
    for (const buffer of buffers) {
      if (buffer.length === 0) continue
      this.#pending.push(buffer)
      this.pendingBytes += buffer.length
    }
    this.#pump()
    if (this.pendingBytes > highWaterBytes) this.#needsDrain = true
    return !this.#needsDrain
  }

  /** The end follows what was written. */
  end(): void {
    this.#hasEnded = true
    this.#pump()
  }

  get isFinished(): boolean {
    return this.#endSent
  }

  /** The writer is gone: what waits with it never leaves. */
  drop(): void {
    this.#pending = []
    this.pendingBytes = 0
  }

  /** Gives the reader the first of what is on the way; the rest is lost. */
  deliverSome(random: SeededRandom): void {
    const lost = this.#flight.splice(0)
    const whole = random.below(lost.length + 1)
    for (const [index, chunk] of lost.entries()) {
      if (chunk === null || index > whole) return
      this.#reader.receive(index < whole ? chunk : chunk.subarray(0, random.below(chunk.length)))
    }
  }

  /** The writer has dropped what it had not read: the reader hears of it at once. */
  reset(): void {
    this.#path.carry(() => this.#reader.fail('ECONNRESET'))
  }

  /** The reader has read so much. The news of it is awaited only where the window is about to matter: half of all events else. */
  read(bytes: number): void {
    if (this.pendingBytes === 0 && this.#unreadBytes < this.#path.shape.windowBytes / 2) {
      this.#unreadBytes -= bytes
      return
    }
    this.#back.carry(() => {
      this.#unreadBytes -= bytes
      this.#pump()
    })
  }

  #pump(): void {
    const { windowBytes } = this.#path.shape
    const room = windowBytes - this.#unreadBytes
    // As TCP: not for every byte that becomes free, or pieces get smaller and smaller.  @source RFC 9293 3.8.6.2.1
    if (room >= Math.min(this.pendingBytes, windowBytes / 4)) {
      for (let left = Math.min(this.pendingBytes, room); left > 0; ) {
        const chunk = this.#take(this.#path.chunkBytes(left))
        left -= chunk.length
        this.#depart(chunk)
      }
    }
    if (this.pendingBytes > 0) return
    if (this.#hasEnded && !this.#endSent) {
      this.#endSent = true
      this.#depart(null)
      this.#writer.maybeClose()
    }
    if (!this.#needsDrain) return
    this.#needsDrain = false
    this.#writer.drainSoon()
  }

  #take(bytes: number): Buffer {
    const pieces: Buffer[] = []
    let missing = bytes
    for (let next = this.#pending[0]; next !== undefined && missing > 0; next = this.#pending[0]) {
      const piece = next.subarray(0, missing)
      pieces.push(piece)
      missing -= piece.length
      if (piece.length === next.length) this.#pending.shift()
      else this.#pending[0] = next.subarray(piece.length)
    }
    this.pendingBytes -= bytes
    this.#unreadBytes += bytes
    return Buffer.concat(pieces)
  }

  #depart(chunk: Buffer | null): void {
    this.#flight.push(chunk)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#path.arrivalMs(chunk?.length ?? 0))
    this.#path.at(this.#lastArrivalMs, () => this.#arrive())
  }

  /** Whichever piece had its time: they come in order. */
  #arrive(): void {
    const chunk = this.#flight.shift()
    if (chunk === undefined || this.#reader.isUnheard) return
    if (chunk === null) this.#reader.receiveEnd()
    else if (this.#reader.isClosed) this.#back.carry(() => this.#writer.fail('ECONNRESET'))
    else {
      this.#reader.receive(chunk)
      if (this.#path.isReset()) this.#writer.reset()
    }
  }
}

export class SimConnection implements Connection {
  onData: (chunk: Buffer) => void = () => {}
  readInto: () => Buffer | null = () => null
  onClose: (fault: Faulted | null) => void = () => {}
  onDrain: () => void = () => {}
  readonly #clock: Clock
  readonly #random: SeededRandom
  readonly #gate: Gate
  readonly #onGone: () => void
  #out: Stream | null = null
  #in: Stream | null = null
  #peer: SimConnection | null = null
  readonly #unread = new Unread()
  #isPaused = false
  #endCame = false
  #isEnding = false
  #isClosed = false
  /** Its machine is gone: nothing is told, and nothing answered. */
  #isUnheard = false

  /** `machine`: whose end it is. */
  constructor(
    readonly machine: string,
    readonly remote: string,
    options: { clock: Clock; random: SeededRandom; gate: Gate; onGone: () => void },
  ) {
    this.#clock = options.clock
    this.#random = options.random
    this.#gate = options.gate
    this.#onGone = options.onGone
  }

  static join(near: SimConnection, far: SimConnection, there: SimPath, back: SimPath): void {
    const out = new Stream(near, far, there, back)
    const home = new Stream(far, near, back, there)
    near.#out = far.#in = out
    near.#in = far.#out = home
    near.#peer = far
    far.#peer = near
  }

  get peer(): SimConnection | null {
    return this.#peer
  }
  get isClosed(): boolean {
    return this.#isClosed
  }
  get isUnheard(): boolean {
    return this.#isUnheard
  }
  get pendingBytes(): number {
    return this.#out?.pendingBytes ?? 0
  }

  write(buffers: readonly Buffer[]): boolean {
    if (this.#isClosed || this.#isEnding || this.#isUnheard || this.#out === null) return false
    return this.#out.write(buffers)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#clock.soon(() => this.proceed())
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return
    this.#isEnding = true
    this.#out?.end()
  }

  destroy(): void {
    if (this.#isClosed) return
    const hasUnread = !this.#unread.isEmpty
    this.#out?.drop()
    this.#close(null)
    // As TCP: who drops what it has not read says so; else what is on the way still arrives, and then the end.
    if (hasUnread) this.#out?.reset()
    else this.#out?.end()
  }

  // -- for streams, and for SimNet ------------------------------------------------------------------------------

  receive(chunk: Buffer): void {
    if (this.#isClosed || this.#isUnheard || chunk.length === 0) return
    this.#unread.push(chunk)
    this.proceed()
  }

  receiveEnd(): void {
    this.#endCame = true
    this.proceed()
  }

  drainSoon(): void {
    this.#tell(() => {
      if (!this.#isClosed && !this.#isUnheard) this.onDrain()
    })
  }

  /** The other side does not know this connection, or has dropped it. */
  fail(code: string): void {
    this.#out?.drop()
    this.#close(netFault(`connection with ${this.remote}`, code))
  }

  /** Something on the way breaks it: some of what was sent still arrives. */
  reset(): void {
    this.#in?.deliverSome(this.#random)
    this.#out?.deliverSome(this.#random)
    this.fail('ECONNRESET')
    this.#peer?.fail('ECONNRESET')
  }

  /** Its machine is gone without a word. */
  vanish(): void {
    this.#isUnheard = true
    this.#out?.drop()
    this.#onGone()
  }

  /** Its machine is back, and knows nothing of it. */
  forget(): void {
    this.#isUnheard = false
    this.#isClosed = true
  }

  maybeClose(): void {
    if (this.#endCame && this.#unread.isEmpty && this.#out?.isFinished === true) this.#close(null)
  }

  /** Hands over what has come, as far as somebody listens. */
  proceed(): void {
    while (!this.#isPaused && !this.#isClosed && !this.#gate.isShut) {
      const chunk = this.#unread.next()
      if (chunk === null) break
      this.#in?.read(chunk.length)
      this.onData(chunk)
      this.#unread.into = this.readInto()
    }
    if (!this.#endCame || this.#isPaused || this.#isClosed || this.#gate.isShut) return
    // As Node's: when the other side ends, so does this one, with what it has to send.
    this.end()
    this.maybeClose()
  }

  #close(fault: Faulted | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unread.clear()
    this.#onGone()
    this.#tell(() => {
      if (!this.#isUnheard) this.onClose(fault)
    })
  }

  #tell(news: () => void): void {
    this.#clock.soon(() => this.#gate.pass(news))
  }
}
