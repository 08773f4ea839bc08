/** Cuts a stream of bytes into frames: int32 size, then that many bytes. */

export class FrameTooLarge extends Error {
  override name = 'FrameTooLarge'
  constructor(
    readonly size: number,
    /** The first four bytes, for a guess at what is speaking. */
    readonly head: Buffer,
  ) {
    super(`a frame of ${size} bytes`)
  }
}

const noBytes = Buffer.alloc(0)

export class Frames {
  readonly #sizeMax: number
  /** What has come of the frame that is not whole yet, its size included. */
  #parts: Buffer[] = []
  #bytes = 0
  /** Bytes that the next frame needs, its size included; 4 until the size is known. */
  #needed = 4

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  /** True when a frame has begun and not ended. */
  get isMidFrame(): boolean {
    return this.#bytes > 0
  }

  /**
   * Calls back with every frame that `chunk` completes: a slice of it where the frame lies in one chunk, else one copy.
   * @throws FrameTooLarge when a size is negative or above the bound
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    if (this.#bytes === 0) {
      const rest = this.#cut(chunk, onFrame)
      if (rest.length > 0) this.#keep(rest)
      return
    }
    this.#keep(chunk)
    if (this.#bytes < this.#needed) return
    const joined = Buffer.concat(this.#parts, this.#bytes)
    this.#parts = []
    this.#bytes = 0
    const rest = this.#cut(joined, onFrame)
    if (rest.length > 0) this.#keep(rest)
  }

  #keep(part: Buffer): void {
    this.#parts.push(part)
    this.#bytes += part.length
  }

  /** Hands out the whole frames of `bytes`; returns what is left. */
  #cut(bytes: Buffer, onFrame: (frame: Buffer) => void): Buffer {
    let at = 0
    while (bytes.length - at >= 4) {
      const size = bytes.readInt32BE(at)
      if (size < 0 || size > this.#sizeMax) throw new FrameTooLarge(size, bytes.subarray(at, at + 4))
      const end = at + 4 + size
      if (end > bytes.length) {
        this.#needed = 4 + size
        return bytes.subarray(at)
      }
      onFrame(bytes.subarray(at + 4, end))
      at = end
    }
    this.#needed = 4
    return at === bytes.length ? noBytes : bytes.subarray(at)
  }
}
