/**
 * What a follower lacks is gone from the leader's log: it gets the newest image of the log's machine and begins anew there; a log
 * without a machine begins anew where the leader's does: at the batch that holds the start, with the leader's exact start, and its
 * image is what the batches below say of producers.
 *
 * Source, on the leader, cuts the image into pieces; Reassembly, on the follower, puts them together. Both hold one image at a time.
 */
import { crc32c } from '../base/crc32c.ts'
import type { Log } from '../log/log.ts'
import type { PlacedMembership } from '../raft/membership.ts'
import type { Install } from '../raft/message.ts'
import type { InstallRequest } from '../raft/ready.ts'
import { membershipsIn } from './configurations.ts'

/** An image and where a log with it begins. */
type Whole = Omit<Install, 'type' | 'epoch' | 'at' | 'piece'> & { readonly image: Buffer }

const nothing = Buffer.alloc(0)

export class Source {
  readonly #log: Log
  readonly #initial: PlacedMembership
  #whole: Whole | null = null

  /** `initial`: what is in force as long as the log has no mark of voters. */
  constructor(log: Log, initial: PlacedMembership) {
    this.#log = log
    this.#initial = initial
  }

  /**
   * The piece that was asked for, or the first of another image when that one has gone. null when this member has none to give: its
   * own is damaged. (`hasMachine`: the log is of no use without an image.) @throws Faulted
   */
  piece(request: InstallRequest, bytesMax: number, hasMachine: boolean): Install | null {
    if (request.position === -1 || this.#whole?.position !== request.position)
      this.#whole = this.#load(hasMachine)
    if (this.#whole === null) return null
    const { image, ...whole } = this.#whole
    const at = whole.position === request.position ? Math.min(request.received, image.length) : 0
    const piece = image.subarray(at, at + bytesMax)
    // Read again in the unlikely case that it gets lost.
    if (at + piece.length === image.length) this.#whole = null
    return { type: 'install', epoch: request.epoch, ...whole, at, piece }
  }

  #load(hasMachine: boolean): Whole | null {
    const log = this.#log
    const newest = hasMachine ? log.images.newest() : null
    if (hasMachine && (newest === null || newest.offset < log.start)) return null
    // A machine's image ends where a batch does.
    const { offset, position, start } =
      newest === null
        ? log.base
        : { offset: newest.offset, position: positionBefore(log, newest.offset), start: newest.offset }
    const image = newest?.image ?? log.producersBelow(offset)
    return {
      position,
      positionEpoch: log.epochBefore(position),
      offset,
      start,
      membership: membershipsIn(log.marks(0, position)).at(-1) ?? this.#initial,
      size: image.length,
      crc: crc32c(image),
      image,
    }
  }
}

/** The lowest position at `offset`: the marks there come after it, and may not be committed yet. */
function positionBefore(log: Log, offset: number): number {
  const record = log.positionOf(offset)
  return log.marks(0, record).find((placed) => placed.offset >= offset)?.position ?? record
}

export class Reassembly {
  readonly #bytesMax: number
  #of: Install | null = null
  #image = nothing
  #received = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /**
   * 'more': so many bytes are here. 'whole': `image` is. 'damaged': it is begun again. 'large': more than it may be.
   * What comes twice or out of its turn changes nothing.
   */
  take(install: Install): 'more' | 'whole' | 'damaged' | 'large' {
    const { position, size, crc, at, piece } = install
    if (size > this.#bytesMax) return 'large'
    const before = this.#of
    if (before === null || before.position !== position || before.size !== size || before.crc !== crc) {
      this.#image = Buffer.allocUnsafeSlow(size)
      this.#received = 0
    }
    this.#of = install
    if (at === this.#received && at + piece.length <= size) {
      piece.copy(this.#image, at)
      this.#received += piece.length
    }
    if (this.#received < size) return 'more'
    if (crc32c(this.#image) === crc) return 'whole'
    this.#of = null
    this.#received = 0
    return 'damaged'
  }

  get received(): number {
    return this.#received
  }

  /** The image that was whole; nothing is kept of it here. */
  release(): Buffer {
    const image = this.#image
    this.#of = null
    this.#image = nothing
    this.#received = 0
    return image
  }
}
