import { assert } from './assert.ts'
import { putInt32 } from './big-endian.ts'

/** Memory for small messages: one slab serves many. Whoever writes owns it, and gives back what it left. */
const slabSize = 64 * 1024
const spareSizeMin = 1024
let spare: Buffer | null = null

const nothing = Buffer.alloc(0)

/**
 * Memory that grows while it is written, and a list of slices in the end: what is large already
 * (`spliceBuffers`) is in the list as it came, never copied.
 *
 * The slices of a small message share their memory with other messages: whoever keeps one for long should
 * copy it.
 */
export class Pieces {
  /** What is being written, from `start` to `position`. */
  protected buffer: Buffer
  protected position = 0
  private start = 0
  /** What is complete, and its bytes. */
  private readonly pieces: Buffer[] = []
  private piecesSize = 0

  constructor() {
    this.buffer = spare ?? Buffer.allocUnsafeSlow(slabSize)
    spare = null
  }

  /** Bytes written so far. */
  get size(): number {
    return this.piecesSize + this.position - this.start
  }

  /** Copies `value` in. */
  raw(value: Buffer): void {
    const at = this.reserve(value.length)
    value.copy(this.buffer, at)
  }

  /** Takes the buffers as they are, without a copy: they must not change until the bytes are sent. */
  spliceBuffers(list: readonly Buffer[]): void {
    this.closePiece()
    for (const buffer of list) {
      if (buffer.length === 0) continue
      this.pieces.push(buffer)
      this.piecesSize += buffer.length
    }
  }

  /**
   * Overwrites an int32 written earlier, such as the size before a frame: `at` counts from the first byte.
   */
  patchInt32(at: number, value: number): void {
    let from = at
    for (const piece of this.pieces) {
      if (from < piece.length) {
        assert(from + 4 <= piece.length, 'an int32 lies in one piece')
        putInt32(piece, from, value)
        return
      }
      from -= piece.length
    }
    assert(this.start + from + 4 <= this.position, 'what is patched was written')
    putInt32(this.buffer, this.start + from, value)
  }

  /** All that was written, in order. Nothing can be written any more. */
  finish(): Buffer[] {
    this.closePiece()
    const isSlab = this.buffer.buffer.byteLength === slabSize
    if (isSlab && this.buffer.length - this.start >= spareSizeMin) spare = this.buffer.subarray(this.start)
    this.buffer = nothing
    this.start = 0
    this.position = 0
    return this.pieces
  }

  /**
   * All that was written as one Buffer, copied only when it is in several pieces. Nothing can be written any
   * more.
   */
  toBuffer(): Buffer {
    const pieces = this.finish()
    const [only] = pieces
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
  }

  /**
   * Makes room for `size` bytes and answers where in `buffer` they go. Take it before `buffer`: growing
   * replaces that.
   */
  protected reserve(size: number): number {
    const at = this.position
    if (at + size > this.buffer.length) return this.grow(size)
    this.position = at + size
    return at
  }

  /** Bytes of the piece that is being written. */
  protected get openSize(): number {
    return this.position - this.start
  }

  private closePiece(): void {
    if (this.position === this.start) return
    this.pieces.push(this.buffer.subarray(this.start, this.position))
    this.piecesSize += this.position - this.start
    this.start = this.position
  }

  private grow(size: number): number {
    assert(this.buffer !== nothing, 'nothing is written after finish')
    const written = this.position - this.start
    const larger = Buffer.allocUnsafeSlow(Math.max(slabSize, 2 * (written + size)))
    this.buffer.copy(larger, 0, this.start, this.position)
    this.buffer = larger
    this.start = 0
    this.position = written + size
    return written
  }
}
