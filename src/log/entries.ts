/**
 * A file of entries of one width, which only grows at its end: what both indexes of a segment are made of.
 *
 *     block: up to 512 entries, uint32 crc32c of them      (only the last block has fewer)
 *
 * The checksum begins with what the file belongs to and the number of the block: a block in the wrong place is damaged.
 *
 * Full blocks are written as they fill; the last one stays in memory until `flush`. Looking something up reads one block at a
 * time and keeps the last one read, so that ten thousand segments hold no index in memory.
 */
import { crc32c } from '../base/crc32c.ts'
import type { File } from '../io/world.ts'

const blockEntries = 512
const crcSize = 4

/** An index does not fit its segment: it is built again. Never leaves src/log. */
export class IndexDamaged extends Error {
  override name = 'IndexDamaged'
}

export class Entries {
  readonly #file: File
  readonly #width: number
  readonly #owner: number
  readonly #blockSize: number
  #isLoaded: boolean
  /** Full blocks in the file. */
  #blocks = 0
  /** Entries after them, in memory. */
  #tail: Buffer = Buffer.alloc(0)
  #tailCount = 0
  /** Of those, how many the file has as its last, partial block; -1 when it may have something else there. */
  #tailFlushed = 0
  #cached: Buffer = Buffer.alloc(0)
  #cachedBlock = -1

  /** @param owner a number that tells this file from others of its kind; @param isNew there is no file yet. Otherwise it is read at first use. */
  constructor(file: File, width: number, owner: number, isNew: boolean) {
    this.#file = file
    this.#width = width
    this.#owner = owner
    this.#blockSize = blockEntries * width + crcSize
    this.#isLoaded = isNew
  }

  /** @throws IndexDamaged */
  get count(): number {
    this.#load()
    return this.#blocks * blockEntries + this.#tailCount
  }

  /** Where entry `index` begins in the buffer of `at`. */
  place(index: number): number {
    return (index % blockEntries) * this.#width
  }

  /** The block that holds entry `index`. @throws IndexDamaged */
  at(index: number): Buffer {
    const block = Math.floor(index / blockEntries)
    if (block >= this.#blocks) return this.#tail
    if (block !== this.#cachedBlock) {
      this.#cached = this.#read(block, blockEntries)
      this.#cachedBlock = block
    }
    return this.#cached
  }

  /** Room for one more entry, at `place(count - 1)` of the buffer returned. @throws Faulted, IndexDamaged */
  push(): Buffer {
    this.#load()
    if (this.#tailCount === blockEntries) {
      this.#write(this.#tail.subarray(0, blockEntries * this.#width))
      this.#blocks++
      this.#tailCount = 0
      this.#tailFlushed = 0
    }
    this.#tailCount++
    const needed = this.#tailCount * this.#width
    if (needed > this.#tail.length) {
      const size = Math.min(
        Math.max(needed, 2 * this.#tail.length, 16 * this.#width),
        blockEntries * this.#width,
      )
      const larger = Buffer.alloc(size)
      this.#tail.copy(larger)
      this.#tail = larger
    }
    return this.#tail
  }

  /** Keeps the first `count`. @throws Faulted, IndexDamaged */
  truncate(count: number): void {
    this.#load()
    const block = Math.floor(count / blockEntries)
    if (block < this.#blocks) {
      this.#tail = Buffer.from(this.at(block * blockEntries))
      this.#blocks = block
      this.#cachedBlock = -1
    }
    this.#tailCount = count - this.#blocks * blockEntries
    this.#tailFlushed = -1
  }

  /** Writes what is only in memory. @throws Faulted */
  flush(): void {
    if (!this.#isLoaded || this.#tailFlushed === this.#tailCount) return
    this.#write(this.#tail.subarray(0, this.#tailCount * this.#width))
    this.#tailFlushed = this.#tailCount
  }

  #write(entries: Buffer): void {
    const at = this.#blocks * this.#blockSize
    // What was cut would else be read as more entries behind the last.
    if (this.#tailFlushed < 0) this.#file.truncate(at)
    if (entries.length === 0) return
    const crc = Buffer.allocUnsafe(crcSize)
    crc.writeUInt32BE(this.#crc(entries, this.#blocks), 0)
    this.#file.write([entries, crc], at)
  }

  #load(): void {
    if (this.#isLoaded) return
    const size = this.#file.size()
    this.#blocks = Math.floor(size / this.#blockSize)
    const rest = size - this.#blocks * this.#blockSize
    if (rest > 0) {
      const count = (rest - crcSize) / this.#width
      if (!Number.isInteger(count) || count <= 0) throw new IndexDamaged(`${this.#file.path}: ${size} bytes`)
      this.#tail = this.#read(this.#blocks, count)
      this.#tailCount = count
    }
    this.#tailFlushed = this.#tailCount
    this.#isLoaded = true
  }

  #read(block: number, count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count * this.#width + crcSize)
    const got = this.#file.read(bytes, block * this.#blockSize)
    const entries = bytes.subarray(0, count * this.#width)
    if (got !== bytes.length || bytes.readUInt32BE(entries.length) !== this.#crc(entries, block)) {
      throw new IndexDamaged(`${this.#file.path}: block ${block} fails its checksum`)
    }
    return entries
  }

  #crc(entries: Buffer, block: number): number {
    return crc32c(entries, (this.#owner + block) >>> 0)
  }
}
