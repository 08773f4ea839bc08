import * as net from 'node:net'
import { Faulted } from '../base/errors.ts'
import type { Connection, Listener, Net } from './world.ts'

/**
 * All sockets read into the same memory, one after the other: a buffer for each read, as Node has it otherwise, is memory that V8 counts,
 * and every 32 MB or so of it cost a collection of the whole heap. Unless whoever reads has a place for what comes next.
 */
const sharedBytes = Buffer.allocUnsafeSlow(256 * 1024)

class SharedRead {
  onData: (chunk: Buffer) => void = () => {}
  readInto: () => Buffer | null = () => null
  /** Node asks before each read, which is after what was read before has been taken. */
  readonly buffer = (): Buffer => this.readInto() ?? sharedBytes
  readonly callback = (bytes: number, into: Uint8Array): boolean => {
    this.onData((into as Buffer).subarray(0, bytes))
    return true
  }
}

/** Only a socket that is made with it has `onread`, and Node makes those that it accepts: this one takes over the handle of such. */
function adopted(accepted: net.Socket): { socket: net.Socket; reader: SharedRead } {
  const inner = accepted as unknown as { _handle: unknown }
  const handle = inner._handle
  inner._handle = null
  const reader = new SharedRead()
  const options = { handle, onread: reader }
  return { socket: new net.Socket(options as net.SocketConstructorOpts), reader }
}

/** Real TCP. */
export class NodeNet implements Net {
  listen(
    options: { host: string; port: number },
    onConnection: (connection: Connection) => void,
    onFault: (fault: Faulted) => void = () => {},
  ): Promise<Listener> {
    const operation = `listen on ${options.host}:${options.port}`
    return new Promise((resolve, reject) => {
      const sockets = { noDelay: true, keepAlive: true, pauseOnConnect: true }
      const server = net.createServer(sockets, (socket) => onConnection(new NodeConnection(adopted(socket))))
      server.once('error', (cause) => reject(new Faulted('net', operation, { cause })))
      server.listen({ host: options.host, port: options.port }, () => {
        server.removeAllListeners('error')
        server.on('error', (cause) =>
          onFault(new Faulted('net', `accept on ${options.host}:${options.port}`, { cause })),
        )
        resolve(new NodeListener(server, options.host))
      })
    })
  }

  connect(options: { host: string; port: number; timeoutMs: number }): Promise<Connection> {
    const operation = `connect to ${options.host}:${options.port}`
    return new Promise((resolve, reject) => {
      const { host, port } = options
      const reader = new SharedRead()
      const socket = net.connect({ host, port, noDelay: true, keepAlive: true, onread: reader })
      const fail = (cause: Error): void => {
        clearTimeout(timer)
        socket.destroy()
        reject(new Faulted('net', operation, { cause }))
      }
      const timer = setTimeout(() => {
        fail(Object.assign(new Error(`no answer within ${options.timeoutMs} ms`), { code: 'ETIMEDOUT' }))
      }, options.timeoutMs)
      socket.once('error', fail)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', fail)
        resolve(new NodeConnection({ socket, reader }))
      })
    })
  }
}

class NodeListener implements Listener {
  readonly host: string
  readonly port: number
  readonly #server: net.Server

  constructor(server: net.Server, host: string) {
    const address = server.address()
    this.host = host
    this.port = typeof address === 'object' && address !== null ? address.port : 0
    this.#server = server
  }

  /** Node's own callback waits for the open connections too; ours stay, so there is nothing to wait for. */
  close(): Promise<void> {
    this.#server.close()
    return Promise.resolve()
  }
}

class NodeConnection implements Connection {
  readonly remote: string
  onData: (chunk: Buffer) => void = () => {}
  readInto: () => Buffer | null = () => null
  onClose: (fault: Faulted | null) => void = () => {}
  onDrain: () => void = () => {}
  readonly #socket: net.Socket
  #fault: Faulted | null = null

  constructor({ socket, reader }: { socket: net.Socket; reader: SharedRead }) {
    this.#socket = socket
    this.remote = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`
    reader.onData = (chunk) => this.onData(chunk)
    reader.readInto = () => this.readInto()
    socket.on('drain', () => this.onDrain())
    socket.on('error', (cause) => {
      this.#fault = new Faulted('net', `connection with ${this.remote}`, { cause })
    })
    socket.on('close', () => this.onClose(this.#fault))
  }

  write(buffers: readonly Buffer[]): boolean {
    const socket = this.#socket
    if (!socket.writable) return false // it is ending: onClose says so, nothing may be queued any more
    if (buffers.length > 1) socket.cork() // one writev instead of one packet per buffer
    let isBelow = !socket.writableNeedDrain
    for (const buffer of buffers) isBelow = socket.write(buffer)
    if (buffers.length > 1) socket.uncork()
    return isBelow
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
