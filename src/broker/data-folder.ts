/**
 * The data folder of one broker:
 *
 *     lock                     held while a broker runs
 *     identity.json            who this folder belongs to: node, disk, cluster
 *     partitions/<topic id>-<index>/   one log each; topic names never reach the file system
 *     deleted/                 folders of deleted topics, on their way out
 *     orphans/                 folders that no topic claims: moved aside, never removed on the word of one file
 *     damaged/                 folders of damaged replicas: moved aside, for a person to look at
 *     forgotten/               replicas that have forgotten what they promised (forgotten.ts)
 *
 * The disk id is minted with the folder. A broker whose disk was wiped comes back with another one, and is not taken for
 * the replica that once promised something.
 */
import type { Disk, World } from '../io/world.ts'
import { DataFolderRefused } from './data-folder-refused.ts'
import { ForgottenReplicas } from './forgotten.ts'
import { type Identity, readIdentity, type Voter, writeIdentity } from './identity.ts'

/** Folders that are moved with one sync; during it others get their turn. */
const movedAtOnce = 100

export class DataFolder {
  readonly #disk: Disk
  readonly #lock: { release(): void }
  readonly forgotten: ForgottenReplicas
  #identity: Identity
  /** The last one that was asked for: one after the other. */
  #writing: Promise<void> = Promise.resolve()

  private constructor(
    { disk }: Pick<World, 'disk'>,
    readonly path: string,
    lock: { release(): void },
    identity: Identity,
  ) {
    this.#disk = disk
    this.#lock = lock
    this.forgotten = new ForgottenReplicas(disk, path)
    this.#identity = identity
  }

  /** `voters`: written down when the folder is new. @throws DataFolderRefused when it is locked, damaged, of another node, or of another version; Faulted */
  static async open(
    world: Pick<World, 'disk'>,
    path: string,
    nodeId: number,
    freshUuid: () => string,
    voters: readonly Voter[] = [],
  ): Promise<DataFolder> {
    const { disk } = world
    await makeFolder(disk, `${path}/partitions`)
    const lock = disk.lock(`${path}/lock`)
    if (lock === null) {
      throw new DataFolderRefused(
        `the data folder ${path} is in use by another broker process: stop that one, or choose another folder with --data-dir`,
      )
    }
    try {
      const found = readIdentity(disk, path)
      if (found !== null && found.nodeId !== nodeId) {
        throw new DataFolderRefused(
          `the data folder ${path} belongs to node ${found.nodeId}, and this broker was started as node ${nodeId}`,
        )
      }
      const founders = found?.voters ?? []
      const isAlone = founders.length === 0 && found !== null && found.clusterId !== ''
      if (isAlone && voters.some(({ id }) => id !== nodeId)) {
        throw new DataFolderRefused(
          `the data folder ${path} was begun by a broker on its own, and --voters names others: let those join this one ` +
            `(--voters with this broker alone, everywhere), or start with an empty folder`,
        )
      }
      if (found === null && disk.list(`${path}/partitions`).length > 0) {
        throw new DataFolderRefused(
          `the data folder ${path} holds partitions but no identity.json: restore that file, or move the folder away`,
        )
      }
      const identity = found ?? { nodeId, diskId: freshUuid(), clusterId: '', voters }
      if (found === null) await writeIdentity(disk, path, identity)
      // A crash between the renaming and the removal leaves a folder here.
      await disk.removeFolder(`${path}/deleted`)
      return new DataFolder(world, path, lock, identity)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  get identity(): Identity {
    return this.#identity
  }

  /**
   * Remembers the cluster.
   * @throws DataFolderRefused when the folder belongs to another one
   */
  async joined(clusterId: string): Promise<void> {
    if (this.#identity.clusterId === clusterId) return
    if (this.#identity.clusterId !== '') {
      throw new DataFolderRefused(
        `the data folder ${this.path} belongs to cluster ${this.#identity.clusterId}, not to ${clusterId}`,
      )
    }
    await this.#become({ ...this.#identity, clusterId })
  }

  /** Remembers the disk of a voter that is met for the first time. @throws Faulted */
  async met(id: number, diskId: string): Promise<void> {
    const { voters } = this.#identity
    if (!voters.some((voter) => voter.id === id && voter.diskId === undefined)) return
    await this.#become({
      ...this.#identity,
      voters: voters.map((voter) => (voter.id === id ? { ...voter, diskId } : voter)),
    })
  }

  async #become(identity: Identity): Promise<void> {
    this.#identity = identity
    this.#writing = this.#writing.then(() => writeIdentity(this.#disk, this.path, this.#identity))
    await this.#writing
  }

  partitionFolder(name: string): string {
    return `${this.path}/partitions/${name}`
  }

  hasPartition(name: string): boolean {
    return this.#disk.stat(this.partitionFolder(name)) !== null
  }

  /**
   * The folders of deleted partitions: out of the way first, then their files go. After a crash in between the next start goes on;
   * before the sync, it finds them as orphans.
   * @throws Faulted
   */
  async removePartitions(names: readonly string[]): Promise<void> {
    const moved: string[] = []
    for (let at = 0; at < names.length; at += movedAtOnce) {
      moved.push(...(await this.#moveAway(names.slice(at, at + movedAtOnce))))
    }
    for (const name of moved) await this.#disk.removeFolder(`${this.path}/deleted/${name}`)
  }

  async #moveAway(names: readonly string[]): Promise<string[]> {
    for (const name of names) this.forgotten.clear(name)
    const present = names.filter((name) => this.hasPartition(name))
    if (present.length === 0) return []
    this.#disk.mkdir(`${this.path}/deleted`)
    for (const name of present) {
      this.#disk.rename(this.partitionFolder(name), `${this.path}/deleted/${name}`)
    }
    await this.#disk.syncFolder(`${this.path}/partitions`)
    return present
  }

  /**
   * Moves the folder of a damaged replica aside, which has forgotten what it promised from now on. Durable when it resolves with
   * where it went. @throws Faulted
   */
  async setAside(name: string, nowMs: number): Promise<string> {
    await this.forgotten.set(name, 'damaged')
    const to = `${this.path}/damaged/${name}.${nowMs}`
    if (!this.hasPartition(name)) return to
    await makeFolder(this.#disk, `${this.path}/damaged`)
    this.#disk.rename(this.partitionFolder(name), to)
    await this.#disk.syncFolder(`${this.path}/damaged`)
    await this.#disk.syncFolder(`${this.path}/partitions`)
    return to
  }

  /** Moves one partition folder aside; see `moveOrphansAside`. */
  moveAside(name: string, nowMs: number): string {
    this.#disk.mkdir(`${this.path}/orphans`)
    const to = `${this.path}/orphans/${name}.${nowMs}`
    this.#disk.rename(this.partitionFolder(name), to)
    return to
  }

  /** Moves aside every partition folder that `isClaimed` does not know. Returns where each went. */
  moveOrphansAside(isClaimed: (name: string) => boolean, nowMs: number): string[] {
    const moved: string[] = []
    for (const name of this.#disk.list(`${this.path}/partitions`)) {
      if (isClaimed(name)) continue
      moved.push(this.moveAside(name, nowMs))
    }
    return moved
  }

  close(): void {
    this.#lock.release()
  }
}

/**
 * Makes a folder and those above it, and their names durable: what is synced inside is lost with the name of a folder around
 * it. `path` itself is synced by whoever puts something into it.
 */
async function makeFolder(disk: Disk, path: string): Promise<void> {
  const changed: string[] = []
  for (let at = path; at !== '' && disk.stat(at) === null; ) {
    const slash = at.lastIndexOf('/')
    const above = slash < 0 ? '.' : slash === 0 ? '/' : at.slice(0, slash)
    changed.push(above)
    at = above
  }
  disk.mkdir(path)
  for (const folder of changed) await disk.syncFolder(folder)
}
