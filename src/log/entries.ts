/**
 * A file of entries of one width, which only grows at its end: what both indexes of a segment are made of.
 *
 *     block: up to 512 entries, uint32 crc32c of them      (only the last block has fewer)
 *
 * The checksum begins with what the file belongs to and the number of the block: a block in the wrong place
 * is damaged.
 *
 * Full blocks are written as they fill; the last one stays in memory until `flush`. A search looks at the
 * first entries of all blocks, which are kept, and then into one block; the last one read is kept, too. So a
 * segment of 1 GiB holds 16 KiB of index in memory, and ten thousand small ones next to nothing.
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
  /** First entries of the full blocks. */
  #heads: Buffer = Buffer.alloc(0)
  #cached: Buffer = Buffer.alloc(0)
  #cachedBlock = -1

  /**
   * @param owner a number that tells this file from others of its kind; @param isNew there is no file yet.
   * Otherwise it is read at first use.
   */
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

  /**
   * The last entry that `holds`, which is true up to some entry and false from there on; -1 when it is false
   * of all.
   * @throws IndexDamaged
   */
  last(holds: (buffer: Buffer, at: number) => boolean): number {
    const { count } = this
    const blocks = Math.ceil(count / blockEntries)
    const block = lastIndex(blocks, (index) =>
      index < this.#blocks ? holds(this.#heads, index * this.#width) : holds(this.#tail, 0),
    )
    if (block < 0) return -1
    const first = block * blockEntries
    const entries = this.at(first)
    const inBlock = Math.min(blockEntries, count - first)
    return first + lastIndex(inBlock, (index) => holds(entries, index * this.#width))
  }

  /** Room for one more entry, at `place(count - 1)` of the buffer returned. @throws Faulted, IndexDamaged */
  push(): Buffer {
    this.#load()
    if (this.#tailCount === blockEntries) {
      this.#write(this.#tail.subarray(0, blockEntries * this.#width))
      this.#addHead(this.#blocks, this.#tail)
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
    const head = Buffer.allocUnsafe(this.#width)
    for (let block = 0; block < this.#blocks; block++) {
      this.#file.read(head, block * this.#blockSize)
      this.#addHead(block, head)
    }
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

  #addHead(block: number, entries: Buffer): void {
    const at = block * this.#width
    if (at === this.#heads.length) {
      const larger = Buffer.alloc(Math.max(4 * this.#width, 2 * this.#heads.length))
      this.#heads.copy(larger)
      this.#heads = larger
    }
    entries.copy(this.#heads, at, 0, this.#width)
  }

  #read(block: number, count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count * this.#width + crcSize)
    const got = this.#file.read(bytes, block * this.#blockSize)
    const entries = bytes.subarray(0, count * this.#width)
    if (got !== bytes.length || bytes.readUInt32BE(entries.length) !== this.#crc(entries, block)) {
      throw new IndexDamaged(`${this.#file.path}: block ${block} fails its checksum`)
    }
    // The heads were read without a checksum: one that is wrong may have led here.
    const isHeadRight =
      block >= this.#blocks ||
      entries.compare(this.#heads, block * this.#width, (block + 1) * this.#width, 0, this.#width) === 0
    if (!isHeadRight) throw new IndexDamaged(`${this.#file.path}: block ${block} begins with another entry`)
    return entries
  }

  #crc(entries: Buffer, block: number): number {
    return crc32c(entries, (this.#owner + block) >>> 0)
  }
}

/**
 * The last of `count` indexes that `holds`, true up to some index and false from there on; -1 when it is
 * false of all.
 */
function lastIndex(count: number, holds: (index: number) => boolean): number {
  let low = -1
  let high = count - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}
