/**
 * Images of a state machine beside its log: `<offset>-<epoch>.image`, whole or not at all (written aside,
 * synced, renamed).
 *
 *     'LGIM', uint8 version, int64 offset, int32 epoch, uint32 size, uint32 crc32c of all but itself, the image
 *
 * The newest is kept. A damaged one is renamed to `*.damaged` and reported, never deleted and never read as
 * "no image".
 */
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { Disk } from '../io/world.ts'
import { writeInt64 } from '../records/batch.ts'
import type { OnLogEvent } from './events.ts'
import type { FilePool } from './file-pool.ts'
import type { Images } from './log.ts'
import { imageSuffix, temporarySuffix } from './names.ts'

const magic = 0x4c47494d
const version = 1
const headSize = 25

interface Place {
  readonly offset: number
  readonly epoch: number
}

export class ImageFiles implements Images {
  readonly #disk: Disk
  readonly #files: FilePool
  readonly #folder: string
  readonly #onEvent: OnLogEvent
  readonly #underWay = new Set<Promise<void>>()

  constructor(options: { disk: Disk; files: FilePool; folder: string }, onEvent: OnLogEvent) {
    this.#disk = options.disk
    this.#files = options.files
    this.#folder = options.folder
    this.#onEvent = onEvent
  }

  async write(offset: number, epoch: number, image: Buffer): Promise<void> {
    const writing = this.#write(offset, epoch, image)
    this.#underWay.add(writing)
    try {
      await writing
    } finally {
      this.#underWay.delete(writing)
    }
  }

  /** Resolves when none is being written any more. Who writes hears of faults. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  async #write(offset: number, epoch: number, image: Buffer): Promise<void> {
    const place = { offset, epoch }
    const path = this.#path(place)
    const temporary = `${path}${temporarySuffix}`
    this.#disk.remove(temporary)
    const file = this.#files.open(temporary, 'create')
    try {
      file.write([head(place, image), image], 0)
      await file.sync()
    } finally {
      file.close()
    }
    this.#disk.rename(temporary, path)
    await this.#disk.syncFolder(this.#folder)
    for (const older of this.#list()) if (compare(older, place) < 0) this.#disk.remove(this.#path(older))
  }

  newest(): { offset: number; epoch: number; image: Buffer } | null {
    for (const place of this.#list().toReversed()) {
      const image = this.#read(place)
      if (image !== null) return { ...place, image }
      const path = this.#path(place)
      this.#disk.rename(path, `${path}.damaged`)
      this.#onEvent({
        level: 'error',
        event: 'log.image.damaged',
        message: `${path} is damaged; kept as ${path}.damaged`,
        folder: this.#folder,
        ...place,
      })
    }
    return null
  }

  #read(place: Place): Buffer | null {
    const path = this.#path(place)
    const room = Buffer.allocUnsafe(this.#disk.stat(path)?.size ?? 0)
    const file = this.#files.open(path, 'read')
    const bytes = room.subarray(0, file.read(room, 0))
    file.close()
    if (bytes.length < headSize) return null
    const image = bytes.subarray(headSize)
    return head(place, image).equals(bytes.subarray(0, headSize)) ? image : null
  }

  /** Oldest first. */
  #list(): Place[] {
    const places: Place[] = []
    for (const name of this.#disk.list(this.#folder)) {
      const match = /^(\d{20})-(\d+)\.image$/.exec(name)
      if (match !== null) places.push({ offset: Number(match[1]), epoch: Number(match[2]) })
    }
    return places.sort(compare)
  }

  #path({ offset, epoch }: Place): string {
    return `${this.#folder}/${String(offset).padStart(20, '0')}-${epoch}${imageSuffix}`
  }
}

function compare(a: Place, b: Place): number {
  return a.offset - b.offset || a.epoch - b.epoch
}

function head({ offset, epoch }: Place, image: Buffer): Buffer {
  assert(image.length <= 0xffffffff, 'an image is smaller than 4 GiB')
  const bytes = Buffer.alloc(headSize)
  bytes.writeUInt32BE(magic, 0)
  bytes.writeUInt8(version, 4)
  writeInt64(bytes, 5, offset)
  bytes.writeInt32BE(epoch, 13)
  bytes.writeUInt32BE(image.length, 17)
  bytes.writeUInt32BE(crc32c(image, crc32c(bytes.subarray(0, 21))), 21)
  return bytes
}
