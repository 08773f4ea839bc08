/** `lograft group ...` */
import type { GroupOffset } from '../../client/admin-groups.ts'
import type { Place } from './option-values.ts'
import { type ClientFlags, withClient } from './session.ts'
import { print, printJson, printTable } from './terminal.ts'

export function listGroups(flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const groups = await client.admin().listGroups()
    if (flags.json === true) {
      for (const { groupId: group, ...rest } of groups) await printJson({ group, ...rest })
      return
    }
    if (groups.length === 0) return print('no groups\n')
    return printTable(
      ['GROUP', 'STATE', 'PROTOCOL'],
      groups.map(({ groupId, state, protocolType }) => [groupId, state, protocolType]),
    )
  })
}

export function describeGroup(groupId: string, flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const admin = client.admin()
    const group = await admin.describeGroup(groupId)
    const offsets = await admin.groupOffsets(group)
    if (flags.json === true) {
      const { groupId: name, members, ...rest } = group
      return printJson({ group: name, ...rest, members, partitions: offsets.map(partitionJson) })
    }
    const strategy = group.protocol === '' ? '' : `, ${group.protocol}`
    const members = `${group.members.length} ${group.members.length === 1 ? 'member' : 'members'}`
    await print(`group ${groupId}  ${group.state}, ${members}${strategy}, coordinator ${group.coordinator}\n`)
    if (offsets.length === 0) return print('  nothing committed\n')
    return printTable(
      ['  TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER', 'HOST'],
      offsets.map((row) => [
        `  ${row.topic}`,
        row.partition,
        orDash(row.committed),
        orDash(row.end),
        orDash(row.lag),
        row.member?.memberId ?? '-',
        row.member?.host ?? '-',
      ]),
    )
  })
}

function partitionJson({ topic, partition, committed, end, lag, member }: GroupOffset) {
  const known = (number: number): number | null => (number < 0 ? null : number)
  const memberId = member?.memberId ?? null
  return { topic, partition, committed: known(committed), end: known(end), lag: known(lag), memberId }
}

function orDash(number: number): string {
  return number < 0 ? '-' : String(number)
}

interface ResetFlags extends ClientFlags {
  readonly to: Place
  readonly topic?: readonly string[]
  readonly dryRun?: boolean
}

export function resetOffsets(groupId: string, flags: ResetFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const { to, topic: topics, dryRun = false } = flags
    const resets = await client
      .admin()
      .resetOffsets(groupId, { to, dryRun, ...(topics !== undefined && { topics }) })
    if (flags.json === true) {
      for (const { topic, partition, from, to: offset } of resets) {
        await printJson({
          group: groupId,
          topic,
          partition,
          from: from < 0 ? null : from,
          to: offset,
          dryRun,
        })
      }
      return
    }
    if (resets.length === 0)
      return print(`group ${groupId} has committed nothing; name its topics with --topic\n`)
    if (dryRun) await print('dry run: nothing was changed\n')
    return printTable(
      ['TOPIC', 'PARTITION', 'FROM', 'TO'],
      resets.map(({ topic, partition, from, to: offset }) => [topic, partition, orDash(from), offset]),
    )
  })
}

export function deleteGroups(groupIds: readonly string[], flags: ClientFlags): Promise<void> {
  return withClient(flags, async (client) => {
    await client.admin().deleteGroups(groupIds)
    for (const group of groupIds) {
      if (flags.json === true) await printJson({ group, deleted: true })
      else await print(`group ${group} deleted\n`)
    }
  })
}
