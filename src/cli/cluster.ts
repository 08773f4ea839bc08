/** `lograft cluster status`: who is there, who leads, what needs attention. */
import type { ClusterDescription } from '../../client/admin.ts'
import type { QuorumDescription, QuorumReplica } from '../../client/admin-quorum.ts'
import type { OngoingReassignment } from '../../client/admin-reassignments.ts'
import { KafkaError } from '../../client/errors.ts'
import type { TopicMetadata } from '../../client/metadata.ts'
import { type ClientFlags, withClient } from './session.ts'
import { print, printJson, printTable } from './terminal.ts'

export function clusterStatus(flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const admin = client.admin()
    const [cluster, topics, quorum, reassignments] = await Promise.all([
      admin.describeCluster(),
      admin.listTopics({ internal: true }),
      unlessTooOld(admin.describeQuorum()),
      unlessTooOld(admin.listPartitionReassignments()),
    ])
    const status = statusOf(cluster, topics, quorum, reassignments ?? [])
    return flags.json === true ? printJson(status) : printStatus(status)
  })
}

/** Kafka before 3.3 has no quorum to describe, before 2.4 no reassignments. */
async function unlessTooOld<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') return null
    throw error
  }
}

type Status = ReturnType<typeof statusOf>

function statusOf(
  cluster: ClusterDescription,
  topics: readonly TopicMetadata[],
  quorum: QuorumDescription | null,
  reassignments: readonly OngoingReassignment[],
) {
  const partitions = topics.flatMap(({ name: topic, partitions: rows }) =>
    rows.map(({ index, leader, replicas, inSync }) => ({
      topic,
      partition: index,
      leader: leader < 0 ? null : leader,
      replicas,
      inSync,
    })),
  )
  const controller = quorum !== null && quorum.leader >= 0 ? quorum.leader : cluster.controllerId
  const holders = new Set(partitions.flatMap(({ replicas }) => replicas))
  const known = new Map(cluster.brokers.map((broker) => [broker.nodeId, broker]))
  const ids = [...new Set([...known.keys(), ...holders])].sort((a, b) => a - b)
  return {
    clusterId: cluster.clusterId,
    controllerId: controller < 0 ? null : controller,
    brokers: ids.map((nodeId) => ({
      nodeId,
      // Of a broker that is down the others tell no address.
      host: known.get(nodeId)?.host ?? null,
      port: known.get(nodeId)?.port ?? null,
      rack: known.get(nodeId)?.rack ?? null,
      leads: partitions.filter(({ leader }) => leader === nodeId).length,
      preferred: partitions.filter(({ replicas }) => replicas[0] === nodeId).length,
      hosts: partitions.filter(({ replicas }) => replicas.includes(nodeId)).length,
      behind: partitions.filter((p) => p.replicas.includes(nodeId) && !p.inSync.includes(nodeId)).length,
    })),
    quorum: quorum === null ? null : quorumOf(quorum),
    topics: topics.length,
    partitions: partitions.length,
    leaderless: partitions.filter(({ leader }) => leader === null),
    underReplicated: partitions.filter(
      ({ leader, replicas, inSync }) => leader !== null && inSync.length < replicas.length,
    ),
    reassignments,
  }
}

function quorumOf({ leader, epoch, highWatermark, voters, observers }: QuorumDescription) {
  const known = (value: number): number | null => (value < 0 ? null : value)
  const row =
    (role: 'voter' | 'observer') =>
    ({ nodeId, logEnd, lag, lastFetchMs, lastCaughtUpMs }: QuorumReplica) => ({
      nodeId,
      role: nodeId === leader ? 'leader' : role,
      logEnd: known(logEnd),
      lag: known(lag),
      lastFetchMs: known(lastFetchMs),
      lastCaughtUpMs: known(lastCaughtUpMs),
    })
  const replicas = [...voters.map(row('voter')), ...observers.map(row('observer'))]
  return { leader: known(leader), epoch, highWatermark, replicas }
}

async function printStatus(status: Status): Promise<void> {
  const { leaderless, underReplicated } = status
  const verdict =
    leaderless.length > 0
      ? `${leaderless.length} WITHOUT A LEADER`
      : underReplicated.length > 0
        ? `all led, ${underReplicated.length} with replicas missing`
        : 'all led, all in sync'
  await print(
    `cluster ${status.clusterId ?? '?'}  controller ${status.controllerId ?? 'unknown'}\n` +
      `${count(status.topics, 'topic')}, ${count(status.partitions, 'partition')}: ${verdict}\n\n`,
  )
  await printTable(
    ['BROKER', 'ADDRESS', 'RACK', 'LEADS', 'PREFERRED', 'HOSTS', 'BEHIND'],
    status.brokers.map((row) => [
      row.nodeId,
      row.host === null ? 'down' : `${row.host}:${row.port}`,
      row.rack ?? '-',
      row.leads,
      row.preferred,
      row.hosts,
      row.behind,
    ]),
  )
  if (status.quorum !== null) await printQuorum(status.quorum)
  await printPartitions('without a leader', leaderless)
  await printPartitions('with replicas missing', underReplicated)
  if (status.reassignments.length > 0) await printReassignments(status.reassignments)
}

async function printQuorum({ epoch, highWatermark, replicas }: NonNullable<Status['quorum']>): Promise<void> {
  await print(`\nthe cluster's own log: epoch ${epoch}, high watermark ${highWatermark}\n`)
  await printTable(
    ['NODE', 'ROLE', 'END', 'LAG'],
    replicas.map(({ nodeId, role, logEnd, lag }) => [nodeId, role, logEnd ?? '?', lag ?? '?']),
  )
}

/** More would push the rest off the screen. */
const rowsMax = 20

async function printPartitions(what: string, rows: Status['leaderless']): Promise<void> {
  if (rows.length === 0) return
  await print(`\npartitions ${what}\n`)
  await printTable(
    ['TOPIC', 'PARTITION', 'LEADER', 'REPLICAS', 'IN SYNC'],
    rows
      .slice(0, rowsMax)
      .map((row) => [
        row.topic,
        row.partition,
        row.leader ?? 'none',
        row.replicas.join(','),
        row.inSync.join(',') || 'none',
      ]),
  )
  if (rows.length > rowsMax) await print(`and ${rows.length - rowsMax} more; --json lists all\n`)
}

/** Also what `cluster reassign --list` prints. */
export async function printReassignments(moves: readonly OngoingReassignment[]): Promise<void> {
  await print('\nreassignments under way\n')
  await printTable(
    ['TOPIC', 'PARTITION', 'REPLICAS', 'ADDING', 'REMOVING'],
    moves.map(({ topic, partition, replicas, adding, removing }) => [
      topic,
      partition,
      replicas.join(','),
      adding.join(',') || '-',
      removing.join(',') || '-',
    ]),
  )
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
