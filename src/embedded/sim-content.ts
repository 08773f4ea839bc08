/**
 * The bytes of one simulated file: what a process sees, what a loss of power would leave, and what is in
 * between.
 *
 *     durable ---- pending writes and truncations, in order ----> current
 *
 * A sync moves the first ones of the pending over into the durable. After a loss of power any part of the
 * pending may be there: all, none, a prefix with its last write torn, or single pages; a page that the file
 * was to grow by may hold zeros or garbage.
 */
import type { SeededRandom } from './seeded-random.ts'

const pageSize = 4096
const sectorSize = 512

type Pending = { kind: 'write'; position: number; bytes: Buffer } | { kind: 'truncate'; size: number }

/** A Buffer that grows. */
class Bytes {
  #room = Buffer.alloc(0)
  size = 0

  get view(): Buffer {
    return this.#room.subarray(0, this.size)
  }

  write(bytes: Buffer, position: number): void {
    const end = position + bytes.length
    this.#reserve(end)
    if (position > this.size) this.#room.fill(0, this.size, position)
    bytes.copy(this.#room, position)
    this.size = Math.max(this.size, end)
  }

  truncate(size: number): void {
    this.#reserve(size)
    if (size > this.size) this.#room.fill(0, this.size, size)
    this.size = size
  }

  read(into: Buffer, position: number): number {
    return position >= this.size
      ? 0
      : this.#room.copy(into, 0, position, Math.min(this.size, position + into.length))
  }

  copy(): Bytes {
    const copy = new Bytes()
    copy.write(this.view, 0)
    return copy
  }

  #reserve(size: number): void {
    if (size <= this.#room.length) return
    const larger = Buffer.allocUnsafe(Math.max(size, 2 * this.#room.length, 256))
    this.view.copy(larger)
    this.#room = larger
  }
}

export class SimContent {
  #current = new Bytes()
  #durable = new Bytes()
  #pending: Pending[] = []
  /** Without it nothing is kept for a loss of power: half the memory, and no copies. */
  readonly #isTracked: boolean
  modifiedMs = 0

  constructor(isTracked: boolean) {
    this.#isTracked = isTracked
  }

  get size(): number {
    return this.#current.size
  }

  /** What a process sees. Not a copy. */
  get bytes(): Buffer {
    return this.#current.view
  }

  read(into: Buffer, position: number): number {
    return this.#current.read(into, position)
  }

  write(bytes: Buffer, position: number): void {
    this.#current.write(bytes, position)
    if (this.#isTracked) this.#pending.push({ kind: 'write', position, bytes: Buffer.from(bytes) })
  }

  truncate(size: number): void {
    this.#current.truncate(size)
    if (this.#isTracked) this.#pending.push({ kind: 'truncate', size })
  }

  /** How much a sync that begins now has to make durable: give it to `settle`. */
  get pendingCount(): number {
    return this.#pending.length
  }

  /** The first `count` changes are durable. */
  settle(count: number): void {
    for (const change of this.#pending.splice(0, count)) apply(this.#durable, change)
  }

  /**
   * A sync failed: the kernel takes the pages for clean, so that the next sync has nothing to do and
   * succeeds.
   */
  forget(): void {
    this.#pending = []
  }

  /** The power goes: chance decides what of the pending was written. */
  losePower(random: SeededRandom): void {
    if (this.#pending.length > 0) {
      const kind = random.below(4)
      if (kind === 0) this.#keepPrefix(random, this.#pending.length)
      else if (kind === 1) this.#keepPrefix(random, random.below(this.#pending.length + 1))
      else if (kind === 2) this.#keepPages(random)
      this.#pending = []
    }
    this.#current = this.#durable.copy()
  }

  /** Changes bytes behind everybody's back, durably: damage at rest. */
  damage(change: (bytes: Buffer) => Buffer): void {
    const changed = change(Buffer.from(this.#current.view))
    this.#pending = []
    this.#durable = new Bytes()
    this.#durable.write(changed, 0)
    this.#current = this.#durable.copy()
  }

  #keepPrefix(random: SeededRandom, count: number): void {
    this.settle(count)
    const [torn] = this.#pending
    if (torn?.kind !== 'write') return
    const sectors = random.below(Math.ceil(torn.bytes.length / sectorSize) + 1)
    // Sectors lie in the file, not in the write: the first one may be a short piece.
    const size = Math.max(0, sectors * sectorSize - (torn.position % sectorSize))
    if (size > 0) this.#durable.write(torn.bytes.subarray(0, size), torn.position)
  }

  #keepPages(random: SeededRandom): void {
    for (const change of this.#pending) {
      if (change.kind === 'truncate') {
        if (random.chance(0.5)) this.#durable.truncate(change.size)
        continue
      }
      let at = 0
      while (at < change.bytes.length) {
        const position = change.position + at
        const size = Math.min(pageSize - (position % pageSize), change.bytes.length - at)
        this.#keepPage(random, change.bytes.subarray(at, at + size), position)
        at += size
      }
    }
  }

  #keepPage(random: SeededRandom, bytes: Buffer, position: number): void {
    const fate = random.below(6)
    if (fate < 3) this.#durable.write(bytes, position)
    const grown = position + bytes.length - Math.max(position, this.#durable.size)
    if (fate < 4 || grown <= 0) return
    // The size was written, the data was not: what the blocks held before, or nothing.
    const filling = fate === 4 ? Buffer.alloc(grown) : random.bytes(grown)
    this.#durable.write(filling, position + bytes.length - grown)
  }
}

function apply(bytes: Bytes, change: Pending): void {
  if (change.kind === 'write') bytes.write(change.bytes, change.position)
  else bytes.truncate(change.size)
}
