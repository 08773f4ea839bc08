/** `lograft cluster ...` */
import type { ClusterDescription } from '../../client/admin.ts'
import type { TopicMetadata } from '../../client/metadata.ts'
import { type ClientFlags, withClient } from './session.ts'
import { print, printJson, printTable } from './terminal.ts'

export function clusterStatus(flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const admin = client.admin()
    const [cluster, topics] = await Promise.all([
      admin.describeCluster(),
      admin.listTopics({ internal: true }),
    ])
    const status = statusOf(cluster, topics)
    if (flags.json === true) return printJson(status)
    const { brokers, leaderless, underReplicated } = status
    const verdict =
      leaderless > 0
        ? `${leaderless} WITHOUT A LEADER`
        : underReplicated > 0
          ? `all led, ${underReplicated} with replicas missing`
          : 'all led, all in sync'
    await print(
      `cluster ${status.clusterId ?? '?'}  controller ${status.controllerId ?? 'unknown'}\n` +
        `${status.topics} topics, ${status.partitions} partitions: ${verdict}\n\n`,
    )
    return printTable(
      ['BROKER', 'ADDRESS', 'RACK', 'LEADS', 'HOSTS'],
      brokers.map((row) => [row.nodeId, `${row.host}:${row.port}`, row.rack ?? '-', row.leads, row.hosts]),
    )
  })
}

function statusOf(cluster: ClusterDescription, topics: readonly TopicMetadata[]) {
  const partitions = topics.flatMap((topic) => topic.partitions)
  return {
    clusterId: cluster.clusterId,
    controllerId: cluster.controllerId < 0 ? null : cluster.controllerId,
    brokers: [...cluster.brokers]
      .sort((a, b) => a.nodeId - b.nodeId)
      .map(({ nodeId, host, port, rack }) => ({
        nodeId,
        host,
        port,
        rack,
        leads: partitions.filter(({ leader }) => leader === nodeId).length,
        hosts: partitions.filter(({ replicas }) => replicas.includes(nodeId)).length,
      })),
    topics: topics.length,
    partitions: partitions.length,
    leaderless: partitions.filter(({ leader }) => leader < 0).length,
    underReplicated: partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length).length,
  }
}
