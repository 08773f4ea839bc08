/**
 * How far the log is known to be durable: below it, bytes that are not sound are damage and are refused; at
 * and above it they are what a crash has torn, and are cut.
 *
 * Written after each sync and not synced itself: it may be behind the truth, which only means that damage of
 * the last moments is taken for a torn tail. It must never be ahead: before a truncation destroys anything
 * below it, it is lowered, durably.
 *
 *     value: int64 offset, int64 position
 */
import { Faulted } from '../base/errors.ts'
import type { Disk } from '../io/world.ts'
import { readInt64, writeInt64 } from '../records/batch.ts'
import type { FilePool } from './file-pool.ts'
import { barrierName } from './names.ts'
import { Slots } from './slots.ts'

export interface Durable {
  readonly offset: number
  readonly position: number
}

export class Barrier {
  readonly #slots: Slots
  #durable: Durable

  /** @throws Faulted 'bytes' when it is unreadable */
  constructor(options: { disk: Disk; files: FilePool; folder: string }) {
    const path = `${options.folder}/${barrierName}`
    this.#slots = new Slots({ disk: options.disk, files: options.files, path })
    const { value } = this.#slots
    if (value !== null && value.length !== 16)
      throw new Faulted('bytes', `${path}: a value of ${value.length} bytes`)
    this.#durable =
      value === null
        ? { offset: 0, position: 0 }
        : { offset: readInt64(value, 0), position: readInt64(value, 8) }
  }

  get durable(): Durable {
    return this.#durable
  }

  /** False before the first sync of the log: nothing was ever acknowledged. */
  get exists(): boolean {
    return this.#slots.value !== null
  }

  /** The first time: whole and synced, except for its name in the folder. @throws Faulted */
  async create(durable: Durable): Promise<void> {
    this.#durable = durable
    await this.#slots.create(encode(durable))
  }

  /** @throws Faulted */
  write(durable: Durable): void {
    if (durable.position === this.#durable.position) return
    this.#durable = durable
    this.#slots.write(encode(durable))
  }

  /** @throws Faulted */
  async sync(): Promise<void> {
    await this.#slots.sync()
  }

  close(): void {
    this.#slots.close()
  }
}

function encode(durable: Durable): Buffer {
  const value = Buffer.alloc(16)
  writeInt64(value, 0, durable.offset)
  writeInt64(value, 8, durable.position)
  return value
}
