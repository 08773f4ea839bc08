/** A clock that moves when told, and a net inside the process: each chunk arrives as it was written, in a later turn. */
import { Faulted } from '../../src/base/errors.ts'
import { Unread } from '../../src/embedded/unread.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Connection, Listener, Net } from '../../src/io/world.ts'

export class ManualClock extends VirtualClock {
  /** The turns are real, only time is not. */
  override soon(callback: () => void): void {
    setImmediate(callback)
  }
  override async advance(ms: number): Promise<void> {
    await super.advance(ms)
    await turns()
  }
}

/** Everything that is under way inside the process has happened. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Bytes that one side may have under way before `write` answers false. */
const highWater = 64 * 1024

/** Connections of one process. A side that does not read (`pause`) holds what was written to it. */
export class MemoryNet implements Net {
  readonly #listeners = new Map<number, (connection: Connection) => void>()
  #nextPort = 40_000

  listen(
    options: { host: string; port: number },
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const port = options.port === 0 ? this.#nextPort++ : options.port
    this.#listeners.set(port, onConnection)
    return Promise.resolve({
      host: options.host,
      port,
      close: () => {
        this.#listeners.delete(port)
        return Promise.resolve()
      },
    })
  }

  connect({ host, port }: { host: string; port: number }): Promise<MemoryConnection> {
    const onConnection = this.#listeners.get(port)
    if (onConnection === undefined) return Promise.reject(new Faulted('net', `connect to ${host}:${port}`))
    const [near, far] = [
      new MemoryConnection(`${host}:${port}`),
      new MemoryConnection(`10.0.0.1:${this.#nextPort++}`),
    ]
    near.peer = far
    far.peer = near
    onConnection(far)
    return Promise.resolve(near)
  }
}

export class MemoryConnection implements Connection {
  onData: (chunk: Buffer) => void = () => {}
  readInto: () => Buffer | null = () => null
  onClose: (fault: Faulted | null) => void = () => {}
  onDrain: () => void = () => {}
  peer: MemoryConnection | undefined
  readonly #inbox = new Unread()
  #isPaused = false
  #isDelivering = false
  #needsDrain = false
  /** No more comes from the other side. */
  #hasEnded = false
  #isClosed = false

  constructor(readonly remote: string) {}

  get isPaused(): boolean {
    return this.#isPaused
  }
  get pendingBytes(): number {
    return this.peer === undefined ? 0 : this.peer.#inbox.bytes
  }

  write(buffers: readonly Buffer[]): boolean {
    if (this.peer === undefined || this.#isClosed) return false
    this.peer.#inbox.push(...buffers)
    this.peer.#deliverSoon()
    if (this.pendingBytes > highWater) this.#needsDrain = true
    return !this.#needsDrain
  }
  pause(): void {
    this.#isPaused = true
  }
  resume(): void {
    this.#isPaused = false
    this.#deliverSoon()
  }
  end(): void {
    const { peer } = this
    if (peer === undefined) return
    peer.#hasEnded = true
    peer.#deliverSoon()
  }
  destroy(): void {
    const { peer } = this
    if (peer !== undefined) peer.#inbox.clear()
    this.end()
    this.#close()
  }

  #deliverSoon(): void {
    if (this.#isDelivering) return
    this.#isDelivering = true
    setImmediate(() => this.#deliver())
  }

  #deliver(): void {
    this.#isDelivering = false
    while (!this.#isPaused && !this.#isClosed) {
      const chunk = this.#inbox.next()
      if (chunk === null) break
      this.onData(chunk)
      this.#inbox.into = this.readInto()
    }
    const writer = this.peer
    if (writer !== undefined && this.#inbox.isEmpty && writer.#needsDrain) {
      writer.#needsDrain = false
      writer.onDrain()
    }
    // As with sockets: who does not read does not see the end.
    if (this.#hasEnded && this.#inbox.isEmpty && !this.#isPaused && !this.#isClosed) {
      this.#close()
      this.end()
    }
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    setImmediate(() => this.onClose(null))
  }
}
