/** identity.json: whose data folder this is. Small, written once or twice in a folder's life, readable by people. */
import { putUuid } from '../base/uuid.ts'
import type { Disk } from '../io/world.ts'
import { DataFolderRefused } from './data-folder-refused.ts'

export interface Identity {
  readonly nodeId: number
  /** Minted with the folder: a broker whose disk was wiped is another one. */
  readonly diskId: string
  /** '' until this broker has joined a cluster for the first time. */
  readonly clusterId: string
  /** The controllers that the cluster began with; [] for a broker that began by itself. Whoever restarts it need not say them again. */
  readonly voters: readonly Voter[]
}

/** A controller, and where it listens for other brokers. */
export interface Voter {
  readonly id: number
  readonly host: string
  readonly port: number
  /** The disk that it was first met with; absent until then. Another one under its id is not that voter. */
  readonly diskId?: string
}

/** Addresses as they are told now, disks as they are known. */
export function withDisks(told: readonly Voter[], known: readonly Voter[]): Voter[] {
  return told.map((voter) => ({ ...known.find(({ id }) => id === voter.id), ...voter }))
}

const version = 1

/** null when there is none. @throws DataFolderRefused when it cannot be understood */
export function readIdentity(disk: Disk, folder: string): Identity | null {
  const path = pathIn(folder)
  const stat = disk.stat(path)
  if (stat === null) return null
  const file = disk.open(path, 'read')
  const room = Buffer.alloc(stat.size)
  const text = room.toString('utf8', 0, file.read(room, 0))
  file.close()
  const fields = fieldsOf(text)
  if (fields === null) throw damaged(path, 'it is no JSON object')
  const { nodeId, diskId, clusterId } = fields
  if (typeof fields.version === 'number' && fields.version !== version) {
    throw new DataFolderRefused(
      `${path} is of version ${fields.version}, and this lograft reads version ${version}: start the release that wrote it`,
    )
  }
  if (fields.version !== version) throw damaged(path, "its 'version' is missing")
  if (!Number.isSafeInteger(nodeId)) throw damaged(path, "its 'nodeId' is no number")
  if (typeof diskId !== 'string' || !putUuid(Buffer.alloc(16), 0, diskId))
    throw damaged(path, "its 'diskId' is no uuid")
  if (typeof clusterId !== 'string') throw damaged(path, "its 'clusterId' is missing")
  return { nodeId: nodeId as number, diskId, clusterId, voters: votersIn(fields.voters, path) }
}

function votersIn(field: unknown, path: string): Voter[] {
  if (field === undefined) return []
  if (!Array.isArray(field)) throw damaged(path, "its 'voters' are no list")
  return field.map((one: unknown) => {
    const { id, host, port, diskId }: { [name: string]: unknown } =
      typeof one === 'object' && one !== null ? { ...one } : {}
    if (!Number.isSafeInteger(id) || typeof host !== 'string' || !Number.isSafeInteger(port))
      throw damaged(path, "one of its 'voters' has no id, host or port")
    const voter = { id: id as number, host, port: port as number }
    return typeof diskId === 'string' ? { ...voter, diskId } : voter
  })
}

/** Durable when it resolves; a crash in between leaves the one before. @throws Faulted */
export async function writeIdentity(disk: Disk, folder: string, identity: Identity): Promise<void> {
  const { nodeId, diskId, clusterId, voters } = identity
  const text = `${JSON.stringify({ version, nodeId, diskId, clusterId, voters }, null, 2)}\n`
  const temporary = `${pathIn(folder)}.new`
  disk.remove(temporary)
  const file = disk.open(temporary, 'create')
  try {
    file.write([Buffer.from(text)], 0)
    await file.sync()
  } finally {
    file.close()
  }
  disk.rename(temporary, pathIn(folder))
  await disk.syncFolder(folder)
}

function pathIn(folder: string): string {
  return `${folder}/identity.json`
}

function fieldsOf(text: string): { readonly [name: string]: unknown } | null {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function damaged(path: string, what: string): DataFolderRefused {
  return new DataFolderRefused(
    `${path} is damaged: ${what}. Restore it from a backup, or move the whole folder away and start with a new one`,
  )
}
