/** The cluster's own log and the controller's machine on it. It must be there before anything else is known. */
import { Faulted } from '../base/errors.ts'
import { topicSettings } from '../config/topic-settings.ts'
import type { ClusterChange } from '../machines/cluster/changes.ts'
import { cluster } from '../machines/cluster/cluster.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import { Executor } from '../replica/executor.ts'
import type { Replica } from '../replica/replica.ts'
import type { ClusterExecutor } from './commands.ts'
import type { DataFolder } from './data-folder.ts'
import { DataFolderRefused } from './data-folder-refused.ts'
import { executorSettings } from './executor-settings.ts'
import { type HostedOptions, type HostedPartitions, keyOf } from './hosted.ts'
import { clusterPartition, clusterTopicId } from './internal-topics.ts'

export const clusterLogName = keyOf(clusterTopicId, clusterPartition)

export interface ClusterLog {
  readonly replica: Replica
  readonly executor: ClusterExecutor
}

/** Always synced, and never trimmed by time or size, whatever the topics' defaults are. */
const configs = new Map([
  ['flush.messages', '1'],
  ['segment.bytes', '1048576'],
  ['retention.ms', '-1'],
  ['min.insync.replicas', '1'],
])

/** Who hears what is decided: see executor-options.ts. */
export interface Followers {
  readonly onApplied: (change: ClusterChange) => void
  readonly onJumped: (state: Readonly<ClusterState>) => void
}

/**
 * Ready when it resolves, if this broker is the only voter; else it follows, or will lead after an election.
 * @throws DataFolderRefused when it is missing or damaged; Faulted when the disk does not let us
 */
export async function openClusterLog(
  options: HostedOptions,
  hosted: HostedPartitions,
  followers: Followers,
): Promise<ClusterLog> {
  try {
    return await open(options, hosted, followers)
  } catch (error) {
    if (!(error instanceof Faulted) || error.door !== 'bytes') throw error
    throw new DataFolderRefused(
      `the cluster's own log cannot be read, and only it knows which topics there are: ${error.operation}. ` +
        `Nothing was removed; restore ${options.folder.partitionFolder(clusterLogName)} from a backup`,
    )
  }
}

async function open(
  options: HostedOptions,
  hosted: HostedPartitions,
  followers: Followers,
): Promise<ClusterLog> {
  const { world, folder, settings, nodeId, onEvent } = options
  checkPresence(folder)
  const { voters } = folder.identity
  const founders = voters.length === 0 ? [nodeId] : voters.map(({ id }) => id)
  const disks = voters.flatMap(({ id, diskId }): [number, string][] =>
    diskId === undefined ? [] : [[id, diskId]],
  )
  const replica = await hosted.openReplica(
    clusterLogName,
    folder.partitionFolder(clusterLogName),
    { voters: founders, disks: new Map(disks) },
    topicSettings(settings, configs),
    true,
  )
  replica.onAdvance(reportOnce(options))
  if (replica.voters.length > 1) replica.onAdvance(reportLeader(options))
  const executor = await Executor.open({
    machine: cluster,
    replica,
    clock: world.clock,
    settings: executorSettings(settings),
    notLeader: 'NOT_CONTROLLER',
    outcomeOpen: 'REQUEST_TIMED_OUT',
    onEvent,
    ...followers,
  })
  if (replica.voters.length > 1 || replica.voters[0] !== nodeId) return { replica, executor }
  await replica.whenReady().catch((error: unknown) => {
    throw replica.fault ?? error
  })
  return { replica, executor }
}

/** A new log would be a new cluster, in which no topic claims the partitions that are here. */
function checkPresence(folder: DataFolder): void {
  const { clusterId } = folder.identity
  if (clusterId === '' || folder.hasPartition(clusterLogName)) return
  throw new DataFolderRefused(
    `the data folder ${folder.path} belongs to cluster ${clusterId}, and the cluster's own log is missing: ` +
      `restore ${folder.partitionFolder(clusterLogName)}, or move the whole folder away and start with a new one`,
  )
}

/** Nothing about topics and brokers changes while nobody leads the cluster, so its leader is told of, unlike those of partitions. */
function reportLeader({ nodeId, onEvent }: HostedOptions): (replica: Replica) => void {
  let toldEpoch = -1
  return ({ leaderId, epoch, isReady }) => {
    if (leaderId < 0 || epoch === toldEpoch || (leaderId === nodeId && !isReady)) return
    toldEpoch = epoch
    const who = leaderId === nodeId ? 'this broker' : `broker ${leaderId}`
    onEvent({ level: 'info', event: 'cluster.leader', message: `${who} leads the cluster, epoch ${epoch}` })
  }
}

function reportOnce({ folder, onEvent }: HostedOptions): (replica: Replica) => void {
  let isReported = false
  return ({ fault }) => {
    if (fault === null || isReported) return
    isReported = true
    onEvent({
      level: 'error',
      event: 'cluster.offline',
      message: `topics and settings cannot change until the disk is repaired and the broker restarted: ${fault.message}`,
      folder: folder.partitionFolder(clusterLogName),
    })
  }
}
