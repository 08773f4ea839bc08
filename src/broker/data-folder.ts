/**
 * The data folder of one broker:
 *
 *     lock                     held while a broker runs
 *     identity.json            who this folder belongs to: node, disk, cluster
 *     partitions/<topic id>-<index>/   one log each; topic names never reach the file system
 *     deleted/                 folders of deleted topics, on their way out
 *     orphans/                 folders that no topic claims: moved aside, never removed on the word of one file
 *
 * The disk id is minted with the folder. A broker whose disk was wiped comes back with another one, and is not taken for
 * the replica that once promised something.
 */
import { Faulted } from '../base/errors.ts'
import type { Disk, World } from '../io/world.ts'

export interface Identity {
  readonly nodeId: number
  readonly diskId: string
  /** '' until this broker has joined a cluster for the first time. */
  readonly clusterId: string
}

/** The folder cannot be used by this broker as it was started; the sentence says why and what to do. */
export class DataFolderRefused extends Error {
  override name = 'DataFolderRefused'
}

export class DataFolder {
  readonly #disk: Disk
  readonly #lock: { release(): void }
  #identity: Identity

  private constructor(
    disk: Disk,
    readonly path: string,
    lock: { release(): void },
    identity: Identity,
  ) {
    this.#disk = disk
    this.#lock = lock
    this.#identity = identity
  }

  /** @throws DataFolderRefused when it is locked, of another node, or of another version; Faulted */
  static async open(
    world: Pick<World, 'disk' | 'random'>,
    path: string,
    nodeId: number,
    freshUuid: () => string,
  ): Promise<DataFolder> {
    const { disk } = world
    disk.mkdir(`${path}/partitions`)
    const lock = disk.lock(`${path}/lock`)
    if (lock === null) {
      throw new DataFolderRefused(`the data folder ${path} is in use by another broker process`)
    }
    try {
      const identity = readIdentity(disk, path)
      if (identity !== null && identity.nodeId !== nodeId) {
        throw new DataFolderRefused(
          `the data folder ${path} belongs to node ${identity.nodeId}, and this broker was started as node ${nodeId}`,
        )
      }
      if (identity === null && disk.list(`${path}/partitions`).length > 0) {
        throw new DataFolderRefused(
          `the data folder ${path} holds partitions but no identity.json: restore it, or move the folder away`,
        )
      }
      const folder = new DataFolder(
        disk,
        path,
        lock,
        identity ?? { nodeId, diskId: freshUuid(), clusterId: '' },
      )
      if (identity === null) await folder.#writeIdentity()
      folder.#finishDeletions()
      return folder
    } catch (error) {
      lock.release()
      throw error
    }
  }

  get identity(): Identity {
    return this.#identity
  }

  /** Remembers the cluster. @throws DataFolderRefused when the folder belongs to another one */
  async joined(clusterId: string): Promise<void> {
    if (this.#identity.clusterId === clusterId) return
    if (this.#identity.clusterId !== '') {
      throw new DataFolderRefused(
        `the data folder ${this.path} belongs to cluster ${this.#identity.clusterId}, not to ${clusterId}`,
      )
    }
    this.#identity = { ...this.#identity, clusterId }
    await this.#writeIdentity()
  }

  partitionFolder(topicId: string, index: number): string {
    return `${this.path}/partitions/${topicId}-${index}`
  }

  /** The folder of a deleted partition: out of the way at once, its files go at leisure. */
  async removePartition(topicId: string, index: number): Promise<void> {
    const from = this.partitionFolder(topicId, index)
    if (this.#disk.stat(from) === null) return
    this.#disk.mkdir(`${this.path}/deleted`)
    const to = `${this.path}/deleted/${topicId}-${index}`
    this.#disk.rename(from, to)
    await this.#disk.syncFolder(`${this.path}/partitions`)
    this.#disk.removeFolder(to)
  }

  /** Moves aside every partition folder that `isClaimed` does not know. Returns where each went. */
  moveOrphansAside(isClaimed: (name: string) => boolean, nowMs: number): string[] {
    const moved: string[] = []
    for (const name of this.#disk.list(`${this.path}/partitions`)) {
      if (isClaimed(name)) continue
      this.#disk.mkdir(`${this.path}/orphans`)
      const to = `${this.path}/orphans/${name}.${nowMs}`
      this.#disk.rename(`${this.path}/partitions/${name}`, to)
      moved.push(to)
    }
    return moved
  }

  close(): void {
    this.#lock.release()
  }

  /** A crash between the renaming and the removal leaves a folder here. */
  #finishDeletions(): void {
    if (this.#disk.stat(`${this.path}/deleted`) !== null) this.#disk.removeFolder(`${this.path}/deleted`)
  }

  async #writeIdentity(): Promise<void> {
    const { nodeId, diskId, clusterId } = this.#identity
    const text = `${JSON.stringify({ version: 1, nodeId, diskId, clusterId }, null, 2)}\n`
    const temporary = `${this.path}/identity.json.new`
    this.#disk.remove(temporary)
    const file = this.#disk.open(temporary, 'create')
    file.write([Buffer.from(text)], 0)
    await file.sync()
    file.close()
    this.#disk.rename(temporary, `${this.path}/identity.json`)
    await this.#disk.syncFolder(this.path)
  }
}

function readIdentity(disk: Disk, path: string): Identity | null {
  const name = `${path}/identity.json`
  const stat = disk.stat(name)
  if (stat === null) return null
  const file = disk.open(name, 'read')
  const bytes = Buffer.alloc(stat.size)
  file.read(bytes, 0)
  file.close()
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new Faulted('disk', `read ${name}: it is not JSON`, { cause: error })
  }
  const { version, nodeId, diskId, clusterId } = parsed as { [name: string]: unknown }
  if (version !== 1) {
    throw new DataFolderRefused(`${name} has version ${String(version)}; this lograft reads version 1`)
  }
  if (typeof nodeId !== 'number' || typeof diskId !== 'string' || typeof clusterId !== 'string') {
    throw new Faulted('disk', `read ${name}: nodeId, diskId or clusterId is missing`)
  }
  return { nodeId, diskId, clusterId }
}
