/** Cuts a stream into frames: a size of four bytes, then so many bytes. Nothing is copied. */
export class FrameSizes {
  #size = 0
  #sizeBytes = 0
  #left = 0

  /** Every piece of a frame's payload, in order, and whether the frame ends with it. */
  cut(chunk: Buffer, onPiece: (piece: Buffer, isLast: boolean) => void): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left === 0) {
        this.#size = (this.#size << 8) | (chunk[at++] ?? 0)
        if (++this.#sizeBytes < 4) continue
        this.#left = this.#size
        this.#size = 0
        this.#sizeBytes = 0
        continue
      }
      const piece = chunk.subarray(at, at + this.#left)
      at += piece.length
      this.#left -= piece.length
      onPiece(piece, this.#left === 0)
    }
  }
}
