/**
 * The only file of the client that touches the network, the clock, timers and chance (threads.ts: threads).
 *
 * The faces are a subset of the broker's `World` (src/io), name by name, so that a simulation hands its own world to a
 * client and the client runs inside the seed.
 */
import { randomInt } from 'node:crypto'
import { connect as connectSocket, type Socket } from 'node:net'
import { addressText } from './address.ts'
import { ConnectFailed, ConnectionLost } from './errors.ts'
import { nodeThreads, type Threads } from './threads.ts'

export interface Transport {
  readonly clock: Clock
  readonly net: { connect(options: ConnectOptions): Promise<Stream> }
  /** Uniform in [0, 1). */
  readonly random: { float(): number }
  /** A simulation has none. */
  readonly threads?: Threads
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
  /** Gives up early. A transport that does not know it goes on until `timeoutMs`. */
  readonly signal?: AbortSignal
}

export interface Clock {
  /** Wall clock, ms since 1970: timestamps of records. */
  now(): number
  /** Monotonic ms with fraction: every time-out. */
  monotonic(): number
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls back after the I/O events that are ready now. */
  soon(callback: () => void): void
}

export interface Timer {
  cancel(): void
}

/** A reliable ordered stream of bytes. Set the handlers in the turn in which it was given. */
export interface Stream {
  onData: (chunk: Buffer) => void
  /** Called once, when it is gone; `fault` when it was not a clean end. */
  onClose: (fault: Error | null) => void
  /** Called when all is sent after `write` returned false. */
  onDrain: () => void
  /**
   * Queues the buffers in order, without a copy: they must not change until they are sent. Returns false when so much waits
   * that the caller should stop until `onDrain`.
   */
  write(buffers: readonly Buffer[]): boolean
  /** Drops everything at once. */
  destroy(): void
}

/** The real world. */
export const nodeTransport: Transport = {
  clock: {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimer(delayMs, callback) {
      // Node fires a delay of more than 2^31 ms at once.
      const timer = setTimeout(callback, Math.min(delayMs, 0x7fffffff))
      return { cancel: () => clearTimeout(timer) }
    },
    soon: (callback) => {
      setImmediate(callback)
    },
  },
  net: { connect },
  random: { float: () => randomInt(2 ** 32) / 2 ** 32 },
  threads: nodeThreads,
}

function connect({ host, port, timeoutMs, signal }: ConnectOptions): Promise<Stream> {
  const address = addressText({ host, port })
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ host, port, noDelay: true, keepAlive: true })
    const fail = (why: string, cause?: unknown): void => {
      settle()
      socket.destroy()
      reject(new ConnectFailed(address, why, { cause }))
    }
    const timer = setTimeout(() => fail(`did not answer within ${timeoutMs} ms`), timeoutMs)
    const abort = (): void => fail('was not connected to in time: the client is closed')
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      // A late error of a socket that was given up must not become an uncaught one.
      socket.removeAllListeners('error').on('error', () => {})
    }
    socket.once('error', (cause) => fail(whyNot(cause), cause))
    socket.once('connect', () => {
      settle()
      resolve(streamOf(socket, address))
    })
    signal?.addEventListener('abort', abort)
    if (signal?.aborted === true) abort()
  })
}

function streamOf(socket: Socket, address: string): Stream {
  let fault: Error | null = null
  const stream: Stream = {
    onData: () => {},
    onClose: () => {},
    onDrain: () => {},
    write(buffers) {
      socket.cork()
      let hasRoom = true
      for (const buffer of buffers) hasRoom = socket.write(buffer)
      socket.uncork()
      return hasRoom
    },
    destroy: () => {
      socket.destroy()
    },
  }
  socket.on('data', (chunk: Buffer) => stream.onData(chunk))
  socket.on('error', (cause) => {
    fault = new ConnectionLost(address, cause.message, { cause })
  })
  socket.on('drain', () => stream.onDrain())
  socket.on('close', () => stream.onClose(fault))
  return stream
}

function whyNot(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case 'ECONNREFUSED':
      return 'refused the connection'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'has a host name that does not resolve'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'cannot be reached from here'
    default:
      return `could not be reached (${cause.code ?? cause.message})`
  }
}
