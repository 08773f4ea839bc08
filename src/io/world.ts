/**
 * The one door to the world: everything that can surprise the broker comes in through these interfaces.
 * The real broker runs on the Node twins (`node-*.ts`); a simulation runs the same broker, whole, inside a
 * seed.
 *
 * Nothing outside src/io reads a clock, sets a timer, touches fs or net, or draws chance.
 */
import type { BufferPool } from '../base/buffer-pool.ts'
import type { Faulted } from '../base/errors.ts'

export interface World {
  readonly clock: Clock
  readonly disk: Disk
  readonly net: Net
  readonly random: Random
  /** For what is read, from sockets and from files. */
  readonly buffers: BufferPool
}

export interface Clock {
  /** Wall clock, ms since 1970: for timestamps and retention. May jump. */
  now(): number
  /** Monotonic ms with fraction, from an arbitrary zero: for time-outs and latencies. Never goes back. */
  monotonic(): number
  /** Calls back once after `delayMs`. A pending timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls back after the I/O events that are ready now: the end of this turn. Cannot be cancelled. */
  soon(callback: () => void): void
}

export interface Timer {
  /** After this returns, the callback will not be called. Harmless when it was. */
  cancel(): void
}

/**
 * Calls without a promise are synchronous on purpose: on Linux a write or a cached read of some KiB costs
 * 1-10 us, a trip through the thread pool 30-60 us (measured), and order needs no queue. What may really
 * block (sync, cold reads, writes where dirty pages have piled up) returns a promise.
 *
 * Every method throws (or rejects with) Faulted('disk', ...) whose cause has Node's `code` (ENOENT, ENOSPC,
 * EIO...). Paths are absolute or relative to the process, with '/' between names.
 */
export interface Disk {
  /** 'read' and 'write' need the file to exist; 'create' makes it, or opens what is there. None truncates. */
  open(path: string, mode: 'read' | 'write' | 'create'): File
  /** Makes the folder and its parents; fine when it exists. */
  mkdir(path: string): void
  /** Names in a folder, sorted; throws ENOENT when there is none. */
  list(path: string): string[]
  /** null when nothing is there. */
  stat(path: string): { size: number; isFolder: boolean; modifiedMs: number } | null
  rename(from: string, to: string): void
  /** Removes one file; fine when it is not there. What a large one takes is given back later. */
  remove(path: string): void
  /** Removes a folder with all it holds; fine when it is not there. */
  removeFolder(path: string): Promise<void>
  /** Makes the entries of a folder (created, renamed, removed names) durable. */
  syncFolder(path: string): Promise<void>
  /** Free bytes of the file system that holds `path`. */
  freeBytes(path: string): number
  /** Its size. */
  totalBytes(path: string): number
  /**
   * Takes an exclusive lock that dies with the process. Returns null when another live process holds it;
   * `release` gives it back.
   */
  lock(path: string): { release(): void } | null
}

export interface File {
  readonly path: string
  /**
   * Writes all of `buffers`, one after the other, at `position`: all bytes or a Faulted (short writes are
   * retried).
   */
  write(buffers: readonly Buffer[], position: number): void
  /**
   * As `write`, off the event loop: for writes that take long, or may have to wait for the device. The buffers must not change
   * until it is done; a crash meanwhile leaves any part of it. What else is written to the same place meanwhile, or cut, may
   * come before it or after.
   */
  writeAsync(buffers: readonly Buffer[], position: number): Promise<void>
  /**
   * Fills `into` from `position`; returns how many bytes there were (less only at the end of the file).
   * Cached reads.
   */
  read(into: Buffer, position: number): number
  /** As `read`, off the event loop: for reads that may reach the device. */
  readAsync(into: Buffer, position: number): Promise<number>
  /** fdatasync. A failure is final for this file: the kernel may have dropped the pages. Never retry it. */
  sync(): Promise<void>
  truncate(size: number): void
  size(): number
  /** Fine when closed already. */
  close(): void
}

export interface Net {
  /**
   * Listens; port 0 picks a free one. Rejects with Faulted('net') whose cause has `code` EADDRINUSE and so
   * on. `onFault`: one connection could not be accepted (no descriptors left); the listener lives on.
   */
  listen(
    options: { host: string; port: number },
    onConnection: (connection: Connection) => void,
    onFault?: (fault: Faulted) => void,
  ): Promise<Listener>
  /** Connects, or rejects with Faulted('net') within `timeoutMs`. */
  connect(options: { host: string; port: number; timeoutMs: number }): Promise<Connection>
}

export interface Listener {
  readonly host: string
  /** The port that was really taken. */
  readonly port: number
  /** Stops accepting; open connections stay. */
  close(): Promise<void>
}

/** A reliable ordered stream of bytes. Set the handlers in the turn in which the connection was given. */
export interface Connection {
  /** 'address:port' of the other side, for logs. */
  readonly remote: string
  /** The chunk is lent, unless it lies where `readInto` said: once the handler has returned, other bytes may be in it. */
  onData: (chunk: Buffer) => void
  /**
   * Asked each time that `onData` has returned: where the bytes that come next are to lie, as many as fit. `onData` gets them as a slice
   * of it, from its begin. Null: anywhere.
   */
  readInto: () => Buffer | null
  /** Called once, when the connection is gone for whatever reason; `fault` when it was not a clean end. */
  onClose: (fault: Faulted | null) => void
  /** Called when `pendingBytes` has fallen to zero after `write` returned false. */
  onDrain: () => void
  /**
   * Queues the buffers, in order, and never copies: they must not change until they are sent. Returns false
   * when `pendingBytes` is over the high-water mark of the connection: stop, and go on at `onDrain`.
   */
  write(buffers: readonly Buffer[]): boolean
  /** Bytes accepted by `write` and not yet given to the system. */
  readonly pendingBytes: number
  /** Stops and restarts the reading of the socket (back-pressure towards the peer). */
  pause(): void
  resume(): void
  /** Sends what is queued, then ends. */
  end(): void
  /** Drops everything at once. */
  destroy(): void
}

export interface Random {
  /** Uniform in [0, 1). */
  float(): number
  /** Uniform integer in [0, bound). */
  below(bound: number): number
  /** `size` fresh bytes, fit for identifiers and secrets. */
  bytes(size: number): Buffer
}
