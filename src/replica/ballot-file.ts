/**
 * The ballot of one quorum member, in `vote` in its partition's folder.
 *
 *     uint8 version, int32 epoch, int32 voted for (-1: nobody)
 *
 * A partition that only ever had one voter has no such file; see raft.ts.
 */
import { Faulted } from '../base/errors.ts'
import type { Disk } from '../io/world.ts'
import type { FilePool } from '../log/file-pool.ts'
import { Slots } from '../log/slots.ts'
import type { Ballot } from '../raft/ready.ts'

const version = 1
const size = 9

export class BallotFile {
  readonly #slots: Slots

  /** @throws Faulted when the file is there and damaged: a forgotten vote is a second vote, so nobody guesses */
  constructor(options: { disk: Disk; files: FilePool; folder: string }) {
    this.#slots = new Slots({ disk: options.disk, files: options.files, path: `${options.folder}/vote` })
  }

  /** The newest; of epoch 0 when there never was one. */
  read(): Ballot {
    const value = this.#slots.value
    if (value === null) return { epoch: 0, votedFor: -1 }
    if (value.length !== size || value[0] !== version) {
      throw new Faulted(
        'bytes',
        `read a ballot of ${value.length} bytes, version ${value[0]}: unknown to this release`,
      )
    }
    return { epoch: value.readInt32BE(1), votedFor: value.readInt32BE(5) }
  }

  /** Durable when resolved. */
  async store(ballot: Ballot): Promise<void> {
    const value = Buffer.alloc(size)
    value[0] = version
    value.writeInt32BE(ballot.epoch, 1)
    value.writeInt32BE(ballot.votedFor, 5)
    await this.#slots.store(value)
  }

  close(): void {
    this.#slots.close()
  }
}
