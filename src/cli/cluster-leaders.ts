/** `lograft cluster transfer-leadership`: another replica leads. */
import type { Admin } from '../../client/admin.ts'
import { nameOf } from '../../client/partition.ts'
import { type LeaderTransfer, planTransfers, type TransferPlan } from '../../client/transfer-plan.ts'
import { Failure, WrongUsage } from './failure.ts'
import { type ClientFlags, withClient } from './session.ts'
import { print, printJson, printTable, say } from './terminal.ts'

export interface TransferFlags extends ClientFlags {
  readonly to?: number
  readonly from?: number
}

export function transferLeadership(
  topic: string | undefined,
  partition: number | undefined,
  flags: TransferFlags,
): Promise<void> {
  const { from, to = null } = flags
  if (topic === undefined) {
    if (from === undefined) {
      throw new WrongUsage('transfer-leadership needs a topic and a partition with --to, or --from')
    }
    return withClient(flags, async (client) => {
      const admin = client.admin()
      return hand(admin, planTransfers(await admin.listTopics({ internal: true }), from, to), flags)
    })
  }
  if (partition === undefined) throw new WrongUsage(`transfer-leadership needs a partition of topic ${topic}`)
  if (from !== undefined)
    throw new WrongUsage('--from stands for all partitions of a broker: it takes no topic')
  if (to === null) throw new WrongUsage('transfer-leadership needs --to')
  return withClient(flags, async (client) => {
    const admin = client.admin()
    const transfer = await transferOf(admin, topic, partition, to)
    return hand(admin, { transfers: [transfer], stuck: [] }, flags)
  })
}

/** @throws Failure when the broker cannot lead it; nothing is changed then */
async function transferOf(
  admin: Admin,
  topic: string,
  partition: number,
  to: number,
): Promise<LeaderTransfer> {
  const [known] = await admin.describeTopics([topic])
  const place = known?.partitions[partition]
  const name = nameOf({ topic, partition })
  if (place === undefined) {
    throw new Failure(`topic ${topic} has no partition ${partition}: it has ${known?.partitions.length ?? 0}`)
  }
  const { leader: from, replicas, inSync } = place
  if (!replicas.includes(to)) {
    throw new Failure(
      `broker ${to} holds no replica of ${name}, only ${replicas.join(', ')} do: move it there with lograft cluster reassign`,
    )
  }
  if (!inSync.includes(to)) {
    throw new Failure(`broker ${to} is not in sync with ${name}: start it, or wait until it has caught up`)
  }
  return { topic, partition, from, to, replicas }
}

async function hand(admin: Admin, { transfers, stuck }: TransferPlan, flags: TransferFlags): Promise<void> {
  const changes = transfers.filter(({ from, to }) => from !== to)
  await admin.transferLeadership(transfers)
  if (flags.json === true) {
    for (const { topic, partition, from, to } of transfers) {
      await printJson({ topic, partition, from: from < 0 ? null : from, to })
    }
  } else if (transfers.length === 0) await print('there is nothing to hand over\n')
  else {
    await printTable(
      ['TOPIC', 'PARTITION', 'FROM', 'TO'],
      transfers.map(({ topic, partition, from, to }) => [topic, partition, from < 0 ? 'none' : from, to]),
    )
    if (changes.length === 0) await print('it led already\n')
  }
  if (stuck.length === 0) return
  for (const place of stuck) say(`lograft: no other replica of ${nameOf(place)} is in sync`)
  const rest = stuck.length === 1 ? '1 partition stays' : `${stuck.length} partitions stay`
  throw new Failure(`${rest} with broker ${flags.from}: it has no replica elsewhere that could take over`)
}
