/** `lograft topic ...` */
import type { Admin } from '../../client/admin.ts'
import { KafkaError } from '../../client/errors.ts'
import type { PartitionMetadata, TopicMetadata } from '../../client/metadata.ts'
import { WrongUsage } from './failure.ts'
import { type ClientFlags, withClient } from './session.ts'
import { print, printJson, printTable } from './terminal.ts'

interface CreateFlags extends ClientFlags {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly config?: Readonly<Record<string, string>>
  readonly ifNotExists?: boolean
}

export function createTopic(name: string, flags: CreateFlags): Promise<void> {
  const { partitions, replicationFactor, config: configs } = flags
  return withClient(flags, async (client) => {
    const admin = client.admin()
    let isNew = true
    try {
      await admin.createTopics([{ name, partitions, replicationFactor, configs }])
    } catch (error) {
      const isThere = error instanceof KafkaError && error.code === 'TOPIC_ALREADY_EXISTS'
      if (!isThere || flags.ifNotExists !== true) throw error
      isNew = false
    }
    const [topic] = await admin.describeTopics([name])
    if (topic === undefined) return
    const row = summaryOf(topic)
    if (flags.json === true) return printJson({ ...row, created: isNew })
    const state = isNew ? 'created' : 'is there already'
    return print(
      `topic ${name} ${state}: ${count(row.partitions, 'partition')}, replication factor ${row.replicationFactor}\n`,
    )
  })
}

export function listTopics(flags: ClientFlags & { internal?: boolean }): Promise<void> {
  return withClient(flags, async (client) => {
    const topics = await client.admin().listTopics({ internal: flags.internal === true })
    if (flags.json === true) {
      for (const topic of topics) await printJson(summaryOf(topic))
      return
    }
    if (topics.length === 0) return print('no topics\n')
    const rows = topics.map(summaryOf).map((row) => [row.topic, row.partitions, row.replicationFactor])
    return printTable(['TOPIC', 'PARTITIONS', 'REPLICAS'], rows)
  })
}

export function describeTopics(names: readonly string[], flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const admin = client.admin()
    const topics = names.length === 0 ? await admin.listTopics() : await admin.describeTopics(names)
    for (const topic of topics) {
      const description = await describe(admin, topic)
      if (flags.json === true) await printJson(description)
      else await printDescription(description)
    }
  })
}

type Description = Awaited<ReturnType<typeof describe>>

async function describe(admin: Admin, topic: TopicMetadata) {
  const led = topic.partitions.filter(({ leader }) => leader >= 0)
  const find = async (at: 'beginning' | 'end') => {
    const found = await admin.findOffsets(
      led.map(({ index: partition }) => ({ topic: topic.name, partition, at })),
    )
    return new Map(found.map(({ partition, offset }) => [partition, offset]))
  }
  const [starts, ends, configs] = await Promise.all([
    find('beginning'),
    find('end'),
    admin.describeConfigs({ type: 'topic', name: topic.name }),
  ])
  return {
    ...summaryOf(topic),
    configs: Object.fromEntries(
      configs.filter(({ source }) => source === 'topic').map(({ name, value }) => [name, value]),
    ),
    // The offsets of a partition without a leader are not known.
    details: topic.partitions.map((partition) => ({
      ...placeOf(partition),
      start: starts.get(partition.index) ?? null,
      end: ends.get(partition.index) ?? null,
    })),
  }
}

function placeOf({ index, leader, leaderEpoch, replicas, inSync }: PartitionMetadata) {
  return { partition: index, leader: leader < 0 ? null : leader, leaderEpoch, replicas, inSync }
}

async function printDescription({ topic, topicId, configs, details }: Description): Promise<void> {
  const settings = Object.entries(configs).map(([name, value]) => `${name}=${value}`)
  await print(`topic ${topic}  id ${topicId}${settings.length > 0 ? `\n  ${settings.join(' ')}` : ''}\n`)
  await printTable(
    ['  PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'IN SYNC', 'START', 'END'],
    details.map((row) => [
      `  ${row.partition}`,
      row.leader ?? 'none',
      row.leaderEpoch,
      row.replicas.join(','),
      row.inSync.join(','),
      row.start ?? '?',
      row.end ?? '?',
    ]),
  )
}

interface AlterFlags extends ClientFlags {
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
  readonly deleteConfig?: readonly string[]
}

export function alterTopic(name: string, flags: AlterFlags): Promise<void> {
  const changes: Record<string, string | null> = { ...flags.config }
  for (const setting of flags.deleteConfig ?? []) changes[setting] = null
  const hasChanges = Object.keys(changes).length > 0
  if (flags.partitions === undefined && !hasChanges) {
    throw new WrongUsage('topic alter needs --partitions, --config or --delete-config')
  }
  return withClient(flags, async (client) => {
    const admin = client.admin()
    // Settings first: they are checked as a whole, and partitions cannot be taken back.
    if (hasChanges) await admin.alterConfigs({ type: 'topic', name }, changes)
    if (flags.partitions !== undefined) await admin.createPartitions(name, flags.partitions)
    if (flags.json === true)
      return printJson({ topic: name, partitions: flags.partitions ?? null, configs: changes })
    return print(`topic ${name} altered\n`)
  })
}

export function deleteTopics(names: readonly string[], flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    await client.admin().deleteTopics(names)
    for (const name of names) {
      if (flags.json === true) await printJson({ topic: name, deleted: true })
      else await print(`topic ${name} deleted\n`)
    }
  })
}

function summaryOf(topic: TopicMetadata) {
  return {
    topic: topic.name,
    topicId: topic.topicId,
    internal: topic.isInternal,
    partitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
