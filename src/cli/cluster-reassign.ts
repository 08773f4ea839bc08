/** `lograft cluster reassign`: partitions move to other brokers. */
import type { Admin } from '../../client/admin.ts'
import type { OngoingReassignment, Reassignment } from '../../client/admin-reassignments.ts'
import type { TopicMetadata } from '../../client/metadata.ts'
import { nameOf, type TopicPartition } from '../../client/partition.ts'
import { printReassignments } from './cluster.ts'
import { Failure, WrongUsage } from './failure.ts'
import { readReassignments } from './reassignment-file.ts'
import { type ClientFlags, withClient } from './session.ts'
import { interruption, print, printJson, printTable, progress } from './terminal.ts'

export interface ReassignFlags extends ClientFlags {
  readonly topic?: string
  readonly partition?: number
  readonly replicas?: readonly number[]
  readonly file?: string
  readonly list?: boolean
  readonly cancel?: boolean
  readonly wait?: boolean
}

export function reassign(flags: ReassignFlags): Promise<void> {
  checkFlags(flags)
  if (flags.list === true) return withClient(flags, (client) => list(client.admin(), flags))
  if (flags.cancel === true) return withClient(flags, (client) => cancel(client.admin(), flags))
  return withClient(flags, (client) => move(client.admin({ signal: interruption() }), flags))
}

/** @throws WrongUsage */
function checkFlags({
  topic,
  partition,
  replicas,
  file,
  list: lists,
  cancel: cancels,
  wait,
}: ReassignFlags): void {
  if (partition !== undefined && topic === undefined) throw new WrongUsage('--partition needs --topic')
  if (file !== undefined && topic !== undefined) throw new WrongUsage('--file does not go with --topic')
  if (lists === true || cancels === true) {
    const word = lists === true ? '--list' : '--cancel'
    if (lists === true && cancels === true) throw new WrongUsage('--list does not go with --cancel')
    if (replicas !== undefined) throw new WrongUsage(`--replicas does not go with ${word}`)
    if (lists === true && wait === true) throw new WrongUsage('--wait does not go with --list')
    return
  }
  if (file !== undefined) {
    if (replicas !== undefined) throw new WrongUsage('--replicas does not go with --file')
    return
  }
  if (topic === undefined || replicas === undefined) {
    throw new WrongUsage('cluster reassign needs --topic and --replicas, or --file, or --list, or --cancel')
  }
}

async function list(admin: Admin, flags: ReassignFlags): Promise<void> {
  const moves = await ongoing(admin, flags)
  if (flags.json === true) {
    for (const row of moves) await printJson(row)
    return
  }
  return moves.length === 0 ? print('no reassignments under way\n') : printReassignments(moves)
}

/** Those that are under way, of what the flags name. */
async function ongoing(admin: Admin, flags: ReassignFlags): Promise<OngoingReassignment[]> {
  const moves = await admin.listPartitionReassignments()
  if (flags.file !== undefined) {
    const named = new Set((await readReassignments(flags.file)).map(nameOf))
    return moves.filter((row) => named.has(nameOf(row)))
  }
  return moves.filter(
    ({ topic, partition }) =>
      (flags.topic === undefined || topic === flags.topic) &&
      (flags.partition === undefined || partition === flags.partition),
  )
}

async function cancel(admin: Admin, flags: ReassignFlags): Promise<void> {
  const moves = await ongoing(admin, flags)
  await admin.alterPartitionReassignments(
    moves.map(({ topic, partition }) => ({ topic, partition, replicas: null })),
  )
  if (flags.wait === true) await waitFor(admin, moves)
  if (flags.json === true) {
    for (const { topic, partition } of moves) await printJson({ topic, partition, cancelled: true })
    return
  }
  await print(moves.length === 0 ? 'no reassignments under way\n' : `${count(moves.length)} called back\n`)
}

async function move(admin: Admin, flags: ReassignFlags): Promise<void> {
  const moves =
    flags.file === undefined ? await movesOfTopic(admin, flags) : await readReassignments(flags.file)
  const before = await replicasOf(admin, moves)
  await admin.alterPartitionReassignments(moves)
  if (flags.wait === true) await waitFor(admin, moves)
  const rows = moves.map(({ topic, partition, replicas }) => ({
    topic,
    partition,
    from: before.get(nameOf({ topic, partition })) ?? [],
    to: replicas ?? [],
  }))
  const done = flags.wait === true
  if (flags.json === true) {
    for (const row of rows) await printJson({ ...row, done })
    return
  }
  await printTable(
    ['TOPIC', 'PARTITION', 'FROM', 'TO'],
    rows.map(({ topic, partition, from, to }) => [topic, partition, from.join(','), to.join(',')]),
  )
  await print(
    done
      ? `${count(moves.length)} moved\n`
      : `${count(moves.length)} on the move; watch with lograft cluster reassign --list\n`,
  )
}

/** All partitions of a topic take the same brokers, each with the next of them as its preferred leader. */
async function movesOfTopic(admin: Admin, flags: ReassignFlags): Promise<Reassignment[]> {
  const { topic: name = '', replicas = [], partition: only } = flags
  const [topic] = await admin.describeTopics([name])
  if (topic === undefined) return []
  if (only !== undefined) {
    if (topic.partitions[only] === undefined) {
      throw new Failure(`topic ${name} has no partition ${only}: it has ${topic.partitions.length}`)
    }
    return [{ topic: name, partition: only, replicas }]
  }
  return topic.partitions.map(({ index }) => {
    const first = index % replicas.length
    return {
      topic: name,
      partition: index,
      replicas: [...replicas.slice(first), ...replicas.slice(0, first)],
    }
  })
}

async function replicasOf(
  admin: Admin,
  moves: readonly TopicPartition[],
): Promise<Map<string, readonly number[]>> {
  const topics: TopicMetadata[] = await admin.describeTopics([...new Set(moves.map(({ topic }) => topic))])
  return new Map(
    topics.flatMap(({ name: topic, partitions }) =>
      partitions.map(({ index, replicas }) => [nameOf({ topic, partition: index }), replicas] as const),
    ),
  )
}

async function waitFor(admin: Admin, moves: readonly TopicPartition[]): Promise<void> {
  const bar = await progress('moving', moves.length)
  try {
    await admin.awaitReassignments(moves, { onProgress: (left) => bar.update(moves.length - left) })
  } finally {
    bar.stop()
  }
}

function count(number: number): string {
  return `${number} ${number === 1 ? 'partition' : 'partitions'}`
}
