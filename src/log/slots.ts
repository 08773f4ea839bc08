/**
 * A small value that changes often, in a file of two slots written in turn: a write that is torn loses the
 * new value, never the old one.
 *
 *     slot (512 bytes, one sector): uint32 crc32c of what follows, int64 sequence, uint16 length, value
 *
 * The file appears whole (written aside, synced, renamed), so a file in which no slot is sound has been
 * damaged: that is refused, and never read as "no value yet".
 */
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { Faulted } from '../base/errors.ts'
import type { Disk, File } from '../io/world.ts'
import { readInt64, writeInt64 } from '../records/batch.ts'
import type { FilePool } from './file-pool.ts'
import { temporarySuffix } from './names.ts'

const slotSize = 512
const headSize = 14
/** Bytes that a value may have. */
export const slotValueMax = slotSize - headSize

export class Slots {
  readonly #disk: Disk
  readonly #files: FilePool
  readonly #path: string
  #file: File | null = null
  #sequence = 0
  #value: Buffer | null = null

  /** @throws Faulted 'bytes' when the file is there and no slot is sound */
  constructor(options: { disk: Disk; files: FilePool; path: string }) {
    this.#disk = options.disk
    this.#files = options.files
    this.#path = options.path
    if (this.#disk.stat(this.#path) !== null) this.#load()
  }

  /** The newest value; null before the first. */
  get value(): Buffer | null {
    return this.#value
  }

  /** Makes `value` the newest, durably: the first time with the folder, which may be as new as the file. */
  async store(value: Buffer): Promise<void> {
    if (this.#file === null) {
      await this.create(value)
      const folder = parentOf(this.#path)
      await Promise.all([this.#disk.syncFolder(folder), this.#disk.syncFolder(parentOf(folder))])
    } else {
      this.write(value)
      await this.sync()
    }
  }

  /** The first value: durable itself, but its name is so only when the folder has been synced. */
  async create(value: Buffer): Promise<void> {
    const path = `${this.#path}${temporarySuffix}`
    this.#disk.remove(path)
    const file = this.#files.open(path, 'create')
    this.#sequence = 1 // an even sequence goes into the first slot, an odd one into the second
    file.write([this.#slot(value), this.#slot(value)], 0)
    await file.sync()
    file.close()
    this.#disk.rename(path, this.#path)
    this.#file = this.#files.open(this.#path, 'write')
    this.#value = value
  }

  /** Makes `value` the newest; durable at some later time, or never. */
  write(value: Buffer): void {
    assert(this.#file !== null, 'slots are created before they are written')
    const slot = this.#slot(value)
    this.#file.write([slot], (this.#sequence % 2) * slotSize)
    this.#value = value
  }

  async sync(): Promise<void> {
    await this.#file?.sync()
  }

  close(): void {
    this.#file?.close()
  }

  #slot(value: Buffer): Buffer {
    assert(value.length <= slotValueMax, `a value fits into its slot: ${value.length} bytes`)
    const slot = Buffer.alloc(slotSize)
    writeInt64(slot, 4, ++this.#sequence)
    slot.writeUInt16BE(value.length, 12)
    value.copy(slot, headSize)
    slot.writeUInt32BE(crc32c(slot.subarray(4)), 0)
    return slot
  }

  #load(): void {
    const file = this.#files.open(this.#path, 'write')
    const bytes = Buffer.alloc(2 * slotSize)
    file.read(bytes, 0)
    for (const slot of [bytes.subarray(0, slotSize), bytes.subarray(slotSize)]) {
      if (slot.readUInt32BE(0) !== crc32c(slot.subarray(4))) continue
      const sequence = readInt64(slot, 4)
      if (sequence <= this.#sequence) continue
      this.#sequence = sequence
      this.#value = slot.subarray(headSize, headSize + slot.readUInt16BE(12))
    }
    if (this.#value === null) throw new Faulted('bytes', `${this.#path}: both slots are damaged`)
    this.#file = file
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
