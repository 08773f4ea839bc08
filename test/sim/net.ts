/**
 * A net in a seed: streams of bytes that take their time, arrive in pieces, and break. Order within a stream is kept; a host that
 * is killed resets its connections, one that loses its power is silent until somebody notices.
 */
import { Faulted } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { Clock, Connection, Listener, Net } from '../../src/io/world.ts'

export interface NetOptions {
  readonly clock: Pick<Clock, 'setTimer'>
  readonly random: SeededRandom
  readonly delayMaxMs: number
  /** Half of the time, bytes arrive in pieces of up to this size. */
  readonly pieceBytesMax: number
}

/** Bytes that may be under way before `write` answers false. */
const highWater = 64 * 1024

export class SimNet {
  readonly #options: NetOptions
  readonly #listeners = new Map<string, (connection: Connection) => void>()
  readonly #sockets = new Set<SimSocket>()
  #serial = 0
  #isWhole = false

  constructor(options: NetOptions) {
    this.#options = options
  }

  /** The net as a process on `host` has it. */
  of(host: string): Net {
    return {
      listen: async (options, onConnection) => this.#listen(host, options, onConnection),
      connect: (options) => this.#connect(host, options),
    }
  }

  /** The process on `host` is no more: nobody there hears anything, and the others hear of it `afterMs` later. */
  crash(host: string, afterMs: number): void {
    for (const place of this.#listeners.keys())
      if (place.startsWith(`${host}:`)) this.#listeners.delete(place)
    for (const socket of this.#sockets) {
      if (socket.host !== host) continue
      socket.die()
      this.#options.clock.setTimer(afterMs, () => socket.peer?.reset())
    }
  }

  /** Each connection breaks with this probability. */
  reset(probability: number): void {
    for (const socket of [...this.#sockets]) {
      if (!this.#options.random.chance(probability)) continue
      socket.reset()
      socket.peer?.reset()
    }
  }

  /** From now on it is a good net. */
  heal(): void {
    this.#isWhole = true
  }

  later(callback: () => void): void {
    this.#options.clock.setTimer(
      this.#options.random.float() * (this.#isWhole ? 0.5 : this.#options.delayMaxMs),
      callback,
    )
  }

  pieceOf(bytes: number): number {
    const { random, pieceBytesMax } = this.#options
    return this.#isWhole || random.chance(0.5) ? bytes : Math.min(bytes, 1 + random.below(pieceBytesMax))
  }

  gone(socket: SimSocket): void {
    this.#sockets.delete(socket)
  }

  #listen(
    host: string,
    { port }: { port: number },
    onConnection: (connection: Connection) => void,
  ): Listener {
    const place = `${host}:${port}`
    if (this.#listeners.has(place)) throw new Faulted('net', `listen on ${place}: in use`)
    this.#listeners.set(place, onConnection)
    const close = async (): Promise<void> => {
      if (this.#listeners.get(place) === onConnection) this.#listeners.delete(place)
    }
    return { host, port, close }
  }

  #connect(from: string, { host, port }: { host: string; port: number }): Promise<Connection> {
    return new Promise((resolve, reject) => {
      this.later(() => {
        const onConnection = this.#listeners.get(`${host}:${port}`)
        if (onConnection === undefined) {
          reject(new Faulted('net', `connect to ${host}:${port}: refused`))
          return
        }
        const near = new SimSocket(this, from, `${host}:${port}`)
        const far = new SimSocket(this, host, `${from}:${40_000 + this.#serial++}`)
        near.peer = far
        far.peer = near
        this.#sockets.add(near)
        this.#sockets.add(far)
        onConnection(far)
        resolve(near)
      })
    })
  }
}

class SimSocket implements Connection {
  onData: (chunk: Buffer) => void = () => {}
  onClose: (fault: Faulted | null) => void = () => {}
  onDrain: () => void = () => {}
  peer: SimSocket | null = null
  readonly host: string
  readonly remote: string
  readonly #net: SimNet
  /** Written here and not yet arrived there. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #isUnderWay = false
  #needsDrain = false
  #isPaused = false
  #hasEnded = false
  #isClosed = false

  constructor(net: SimNet, host: string, remote: string) {
    this.#net = net
    this.host = host
    this.remote = remote
  }

  get pendingBytes(): number {
    return this.#waitingBytes
  }

  write(buffers: readonly Buffer[]): boolean {
    if (this.#isClosed || this.#hasEnded) return false
    for (const buffer of buffers) {
      this.#waiting.push(buffer)
      this.#waitingBytes += buffer.length
    }
    if (this.#waitingBytes > highWater) this.#needsDrain = true
    this.#send()
    return !this.#needsDrain
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const { peer } = this
    if (peer !== null) peer.#send()
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#hasEnded = true
    this.#send()
  }

  destroy(): void {
    this.#close(null)
    const { peer } = this
    this.#net.later(() => {
      if (peer !== null) peer.#close(null)
    })
  }

  reset(): void {
    this.#close(new Faulted('net', `${this.remote}: reset`))
  }

  /** As `reset`, and nobody here hears of it. */
  die(): void {
    this.#drop()
    this.onClose = () => {}
  }

  #send(): void {
    if (this.#isUnderWay || this.#isClosed) return
    this.#isUnderWay = true
    this.#net.later(() => {
      this.#isUnderWay = false
      this.#arrive()
    })
  }

  #arrive(): void {
    const { peer } = this
    if (peer === null || this.#isClosed || peer.#isClosed || peer.#isPaused) return
    if (this.#waitingBytes > 0) {
      const all = Buffer.concat(this.#waiting)
      const piece = all.subarray(0, this.#net.pieceOf(all.length))
      this.#waiting = piece.length < all.length ? [all.subarray(piece.length)] : []
      this.#waitingBytes = all.length - piece.length
      peer.onData(piece)
    }
    if (this.#waitingBytes > 0) {
      this.#send()
      return
    }
    if (this.#needsDrain) {
      this.#needsDrain = false
      this.onDrain()
    }
    if (this.#hasEnded) this.#finish(peer)
  }

  /** Who hears the end ends, too; when both have, the connection is over. */
  #finish(peer: SimSocket): void {
    if (!peer.#hasEnded) peer.end()
    else if (peer.#waitingBytes === 0) {
      this.#close(null)
      peer.#close(null)
    }
  }

  #close(fault: Faulted | null): void {
    if (this.#isClosed) return
    this.#drop()
    this.#net.later(() => {
      this.onClose(fault)
    })
  }

  #drop(): void {
    this.#isClosed = true
    this.#waiting = []
    this.#waitingBytes = 0
    this.#net.gone(this)
  }
}
