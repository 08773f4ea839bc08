/**
 * Replicas whose log was damaged: they have forgotten what they promised to their quorums. A file for each in `forgotten/`, until the
 * quorum has let it go and its new log says so itself:
 *
 *     damaged   the partition's folder is moved aside, if it is still there; the replica neither votes nor acknowledges
 *     new       the quorum goes on without it: what lies in the folder is a new log, of one that came later
 *
 * (Without it an empty folder would pass for that of a voter at the quorum's beginning, and vote against what it has promised: .)
 */
import type { Disk } from '../io/world.ts'

export type Forgotten = 'damaged' | 'new'

export class ForgottenReplicas {
  readonly #disk: Disk
  readonly #folder: string
  readonly #states = new Map<string, Forgotten>()

  /** @throws Faulted */
  constructor(disk: Disk, dataFolder: string) {
    this.#disk = disk
    this.#folder = `${dataFolder}/forgotten`
    if (disk.stat(this.#folder) === null) return
    for (const name of disk.list(this.#folder))
      if (!name.endsWith(temporary)) this.#states.set(name, this.#read(name))
  }

  /** null: it remembers all that it should. */
  of(name: string): Forgotten | null {
    return this.#states.get(name) ?? null
  }

  /** Durable when it resolves. @throws Faulted */
  async set(name: string, state: Forgotten): Promise<void> {
    const path = `${this.#folder}/${name}`
    if (this.#disk.stat(this.#folder) === null) {
      this.#disk.mkdir(this.#folder)
      await this.#disk.syncFolder(this.#folder.slice(0, this.#folder.lastIndexOf('/')))
    }
    this.#disk.remove(path + temporary)
    const file = this.#disk.open(path + temporary, 'create')
    try {
      file.write([Buffer.from(state)], 0)
      await file.sync()
    } finally {
      file.close()
    }
    this.#disk.rename(path + temporary, path)
    await this.#disk.syncFolder(this.#folder)
    this.#states.set(name, state)
  }

  /** Its new log knows by itself, or the partition is not here any more. @throws Faulted */
  clear(name: string): void {
    if (!this.#states.delete(name)) return
    this.#disk.remove(`${this.#folder}/${name}`)
  }

  /** Whatever cannot be read is taken for the worse. */
  #read(name: string): Forgotten {
    const file = this.#disk.open(`${this.#folder}/${name}`, 'read')
    const room = Buffer.alloc(16)
    const text = room.toString('latin1', 0, file.read(room, 0))
    file.close()
    return text === 'new' ? 'new' : 'damaged'
  }
}

const temporary = '.tmp'
