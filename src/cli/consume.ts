/** `lograft consume`: records to lines. */
import type { Client } from '../../client/client.ts'
import type { Consumer, ConsumerBatch } from '../../client/consumer.ts'
import type { ConsumerOptions } from '../../client/consumer-settings.ts'
import { WrongUsage } from './failure.ts'
import type { Place } from './option-values.ts'
import { type Formatter, recordFormat, recordJson } from './record-format.ts'
import { type ClientFlags, withClient } from './session.ts'
import { interruption, print, progress } from './terminal.ts'

export interface ConsumeFlags extends ClientFlags {
  readonly from: Place
  readonly group?: string
  readonly partition?: number
  readonly count?: number
  readonly format?: string
  readonly exitAtEnd?: boolean
}

export async function consume(topic: string, flags: ConsumeFlags): Promise<void> {
  if (flags.group === '') throw new WrongUsage('--group must not be empty')
  if (flags.json === true && flags.format !== undefined)
    throw new WrongUsage('--format does not go with --json')
  if (flags.group !== undefined && flags.partition !== undefined) {
    throw new WrongUsage('--partition does not go with --group: the group decides')
  }
  const format = flags.json === true ? jsonLine : recordFormat(flags.format ?? '%v\\n')
  const interrupted = interruption()
  await withClient(flags, async (client) => {
    const consumer = client.consumer(await consumerOptions(client, topic, flags))
    const stop = (): void => void consumer.close()
    interrupted.addEventListener('abort', stop)
    if (interrupted.aborted) return
    await printRecords(consumer, flags, format)
    interrupted.removeEventListener('abort', stop)
  })
}

async function consumerOptions(client: Client, topic: string, flags: ConsumeFlags): Promise<ConsumerOptions> {
  // A topic that is not there would be waited for: tell at once.
  const [described] = await client.admin().describeTopics([topic])
  const { partition } = flags
  if (partition !== undefined && described?.partitions[partition] === undefined) {
    throw new WrongUsage(
      `--partition ${partition}: topic ${topic} has ${described?.partitions.length} partitions`,
    )
  }
  return {
    from: flags.from,
    ...(partition === undefined ? { topics: [topic] } : { assignments: [{ topic, partition }] }),
    ...(flags.group !== undefined && { groupId: flags.group }),
    stopAtEnd: flags.exitAtEnd === true,
  }
}

async function printRecords(consumer: Consumer, flags: ConsumeFlags, format: Formatter): Promise<void> {
  const countMax = flags.count ?? Number.POSITIVE_INFINITY
  // Beside records on the same terminal a bar would only be in the way.
  const bar = await progress('consume', process.stdout.isTTY ? 0 : (flags.count ?? 0))
  let count = 0
  try {
    for await (const batch of consumer.batches()) {
      const wanted = batch.records.slice(0, countMax - count)
      await print(linesOf(wanted, format))
      count += wanted.length
      bar.update(count)
      if (count < countMax) continue
      if (flags.group !== undefined) await commitThrough(consumer, batch, wanted.length)
      return
    }
  } finally {
    bar.stop()
  }
}

function linesOf(records: ConsumerBatch['records'], format: Formatter): Buffer {
  const pieces: Buffer[] = []
  for (const record of records) format(record, pieces)
  return Buffer.concat(pieces)
}

/** What was printed counts as processed; the rest of the batch does not. */
async function commitThrough(consumer: Consumer, batch: ConsumerBatch, printed: number): Promise<void> {
  const last = batch.records[printed - 1]
  if (last === undefined) return
  await consumer.commit([{ topic: last.topic, partition: last.partition, offset: last.offset + 1 }])
}

const jsonLine: Formatter = (record, into) => {
  into.push(Buffer.from(`${JSON.stringify(recordJson(record))}\n`))
}
