/**
 * What leaves through one connection. A slow reader's answers wait here, as the lists of slices that they are, and go to the
 * socket a piece at a time: only between pieces can be seen that it takes anything at all, and a reader that takes nothing
 * for long is disconnected.
 */
import { Loans } from '../base/loans.ts'
import type { Connection } from '../io/world.ts'

/** Small enough that 5 KB/s are seen as progress in a minute. */
const pieceBytesMin = 256 * 1024
/** In one piece an answer of 1 MiB costs two thirds of what it costs in four: for who took the last one in no time. */
const pieceBytesMax = 2 * 1024 * 1024
const quickMs = 50
/** Many small buffers cost more as a list (a call each, a vector for the kernel) than copied into one. */
const joinedBytesMax = 16 * 1024
/** In place of what was sent, so that it can go. */
const sent = Buffer.alloc(0)

/** Bytes of answers over all connections: those that wait for slow readers, and those set aside for answers under way. */
export class OutboundMemory {
  used = 0
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isFull(): boolean {
    return this.used >= this.#bytesMax
  }

  /** Takes what there is, and answers how much that was. */
  reserve(bytes: number): number {
    const granted = Math.max(0, Math.min(bytes, this.#bytesMax - this.used))
    this.used += granted
    return granted
  }
}

export class Outbound {
  readonly #connection: Connection
  readonly #memory: OutboundMemory
  readonly #queue: Buffer[] = []
  readonly #loans = new Loans()
  /** So many bytes the socket has been given. */
  #given = 0
  /** Index of the first that waits: a queue of thousands is not shifted. */
  #head = 0
  #queuedBytes = 0
  /** The last write filled the socket: `drained` will come. */
  #isFull = false
  /** What this connection has in `memory`. */
  #counted = 0
  #progressMs = 0
  /** What the socket is given at once. */
  #pieceBytes = pieceBytesMin

  constructor(connection: Connection, memory: OutboundMemory) {
    this.#connection = connection
    this.#memory = memory
  }

  /** Bytes that wait for the reader; 0 while it keeps up. */
  get waitingBytes(): number {
    return this.#isFull ? this.#queuedBytes + this.#connection.pendingBytes : 0
  }

  /** Since when the reader has taken nothing, while something waits; else null. */
  get stalledSinceMs(): number | null {
    return this.#isFull ? this.#progressMs : null
  }

  /** `loans` lie in `buffers`: a use of each goes over, and is released when the socket has taken them. */
  send(buffers: readonly Buffer[], loans: readonly Buffer[], nowMs: number): void {
    for (const buffer of buffers) {
      this.#queue.push(buffer)
      this.#queuedBytes += buffer.length
    }
    this.#loans.add(loans, this.#given + this.#queuedBytes)
    if (!this.#isFull) {
      this.#progressMs = nowMs
      this.#pump()
    }
    this.#count()
  }

  /** The socket has taken all that it was given. */
  drained(nowMs: number): void {
    const isQuick = nowMs - this.#progressMs <= quickMs
    this.#pieceBytes = isQuick ? Math.min(2 * this.#pieceBytes, pieceBytesMax) : pieceBytesMin
    this.#progressMs = nowMs
    this.#isFull = false
    this.#settleLoans()
    this.#pump()
    this.#count()
  }

  /** Drops what waits. */
  close(): void {
    this.#loans.forget()
    this.#queue.length = this.#head = this.#queuedBytes = 0
    this.#isFull = false
    this.#count()
  }

  #pump(): void {
    while (!this.#isFull && this.#queuedBytes > 0) {
      const waiting = this.#queuedBytes
      this.#isFull = !this.#connection.write(this.#takePiece())
      this.#given += waiting - this.#queuedBytes
    }
    this.#settleLoans()
  }

  #settleLoans(): void {
    if (this.#connection.pendingBytes === 0) this.#loans.settle(this.#given)
  }

  #takePiece(): Buffer[] {
    const pieceBytes = this.#pieceBytes
    if (this.#queuedBytes <= pieceBytes && this.#head === 0) {
      const all = this.#queue.splice(0)
      const isJoined = all.length > 1 && this.#queuedBytes <= joinedBytesMax
      this.#queuedBytes = 0
      return isJoined ? [Buffer.concat(all)] : all
    }
    const piece: Buffer[] = []
    let bytes = 0
    for (
      let next = this.#queue[this.#head];
      next !== undefined && bytes < pieceBytes;
      next = this.#queue[this.#head]
    ) {
      const room = pieceBytes - bytes
      if (next.length <= room) {
        piece.push(next)
        bytes += next.length
        this.#queue[this.#head++] = sent
      } else {
        piece.push(next.subarray(0, room))
        bytes += room
        this.#queue[this.#head] = next.subarray(room)
      }
    }
    this.#queuedBytes -= bytes
    if (this.#queuedBytes === 0) this.#queue.length = this.#head = 0
    return piece
  }

  #count(): void {
    const waiting = this.waitingBytes
    this.#memory.used += waiting - this.#counted
    this.#counted = waiting
  }
}
