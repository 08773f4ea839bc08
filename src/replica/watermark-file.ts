/**
 * How far a member knew its log to be committed, in `watermark` in its partition's folder: two slots written in turn, never synced.
 *
 *     slot: uint32 crc32c of the position, int64 position
 *
 * It is a hint: what is committed stays so, hence an old one is true as well, and a torn or lost one only means that the member
 * hears it from its leader again. (In the ballot's file it would have to be synced with every write, or endanger the ballot.)
 * @source R-36
 */
import { crc32c } from '../base/crc32c.ts'
import type { Disk } from '../io/world.ts'
import type { FilePool } from '../log/file-pool.ts'
import { readInt64, writeInt64 } from '../records/batch.ts'

const slotSize = 12
/** Written at most so often while it rises; and when the member closes. */
const everyMs = 5000

export class WatermarkFile {
  readonly #disk: Disk
  readonly #files: FilePool
  readonly #path: string
  #slot = 0
  #stored = 0
  #storedMs = -Infinity

  constructor(options: { disk: Disk; files: FilePool; folder: string }) {
    this.#disk = options.disk
    this.#files = options.files
    this.#path = `${options.folder}/watermark`
  }

  /** The highest position that is there; 0 when there is none. @throws Faulted when the disk fails */
  read(): number {
    if (this.#disk.stat(this.#path) === null) return 0
    const bytes = Buffer.alloc(2 * slotSize)
    const file = this.#files.open(this.#path, 'read')
    const size = file.read(bytes, 0)
    file.close()
    for (let at = 0; at + slotSize <= size; at += slotSize) {
      const isSound = bytes.readUInt32BE(at) === crc32c(bytes.subarray(at + 4, at + slotSize))
      if (isSound) this.#stored = Math.max(this.#stored, readInt64(bytes, at + 4))
    }
    return this.#stored
  }

  /** @throws Faulted */
  maybeStore(position: number, nowMs: number): void {
    if (nowMs - this.#storedMs < everyMs) return
    this.#storedMs = nowMs
    this.store(position)
  }

  /** @throws Faulted */
  store(position: number): void {
    if (position <= this.#stored) return
    this.#stored = position
    const slot = Buffer.alloc(slotSize)
    writeInt64(slot, 4, position)
    slot.writeUInt32BE(crc32c(slot.subarray(4)), 0)
    const file = this.#files.open(this.#path, 'create')
    file.write([slot], this.#slot * slotSize)
    file.close()
    this.#slot = 1 - this.#slot
  }
}
