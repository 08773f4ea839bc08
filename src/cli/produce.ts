/** `lograft produce`: lines to records. */

import { createReadStream, statSync } from 'node:fs'
import type { KafkaError } from '../../client/errors.ts'
import type { Producer } from '../../client/producer.ts'
import type { ProducerOptions } from '../../client/producer-settings.ts'
import type { RecordPlace } from '../../client/record.ts'
import { messageOf } from '../base/errors.ts'
import { Failure, WrongUsage } from './failure.ts'
import { lineLists } from './lines.ts'
import { type ClientFlags, failureOf, withClient } from './session.ts'
import { interruption, isWatched, printJson, progress, say } from './terminal.ts'

export interface ProduceFlags extends ClientFlags {
  readonly keySeparator?: string
  readonly file?: string
  readonly compression: NonNullable<ProducerOptions['compression']>
  readonly acks: '0' | '1' | 'all'
  readonly partition?: number
  readonly header?: Readonly<Record<string, string>>
}

/** What became of the records, for the closing line. */
class Tally {
  sent = 0
  failed = 0
  bytes = 0
  firstError: KafkaError | null = null
  readonly partitions = new Map<
    number,
    { partition: number; records: number; firstOffset: number; lastOffset: number }
  >()

  /** One function for all records. */
  readonly done = (error: KafkaError | null, place: RecordPlace | null): void => {
    if (place === null) {
      this.failed++
      this.firstError ??= error
      return
    }
    this.sent++
    const { partition, offset } = place
    const row = this.partitions.get(partition)
    if (row === undefined) {
      this.partitions.set(partition, { partition, records: 1, firstOffset: offset, lastOffset: offset })
      return
    }
    row.records++
    row.firstOffset = Math.min(row.firstOffset, offset)
    row.lastOffset = Math.max(row.lastOffset, offset)
  }
}

export async function produce(topic: string, flags: ProduceFlags): Promise<void> {
  if (flags.keySeparator === '') throw new WrongUsage('--key-separator must not be empty')
  const input = openInput(flags.file)
  const interrupted = interruption()
  const tally = new Tally()
  interrupted.addEventListener('abort', () => input.stream.destroy())
  try {
    await withClient(flags, async (client) => {
      const producer = client.producer({
        acks: flags.acks === 'all' ? 'all' : flags.acks === '1' ? 1 : 0,
        compression: flags.compression,
        lingerMs: 5,
      })
      await send(topic, flags, producer, input, tally, interrupted)
      await producer.flush()
    })
  } finally {
    input.stream.destroy()
  }
  await report(topic, flags, tally, interrupted.aborted)
}

async function send(
  topic: string,
  flags: ProduceFlags,
  producer: Producer,
  input: Input,
  tally: Tally,
  interrupted: AbortSignal,
): Promise<void> {
  const { partition, header: headers } = flags
  const separator = flags.keySeparator === undefined ? null : Buffer.from(flags.keySeparator)
  const bar = await progress(`produce ${topic}`, input.bytes)
  try {
    for await (const lines of lineLists(input.stream as AsyncIterable<Buffer>)) {
      for (const line of lines) {
        const split = separator === null ? -1 : line.indexOf(separator)
        const key = split < 0 ? null : line.subarray(0, split)
        const value = split < 0 || separator === null ? line : line.subarray(split + separator.length)
        const room = producer.enqueue({ topic, partition, key, value, headers }, tally.done)
        tally.bytes += line.length + 1
        if (room !== undefined) await room
      }
      bar.update(tally.bytes)
      // The first failure is the last: what follows would only repeat it.
      if (tally.failed > 0) return
    }
  } catch (error) {
    if (!interrupted.aborted) throw input.explain(error)
  } finally {
    bar.stop()
  }
}

async function report(
  topic: string,
  flags: ProduceFlags,
  tally: Tally,
  isInterrupted: boolean,
): Promise<void> {
  const { sent, failed, firstError } = tally
  if (flags.json === true) {
    const partitions = [...tally.partitions.values()].sort((a, b) => a.partition - b.partition)
    await printJson({ topic, records: sent, failed, partitions })
  } else if (isWatched()) {
    say(`${sent} ${sent === 1 ? 'record' : 'records'} to ${topic}`)
  }
  if (firstError !== null) {
    const failure = failureOf(firstError)
    throw new Failure(`${failed} of ${sent + failed} records were not stored: ${messageOf(failure)}`)
  }
  if (isInterrupted) throw new Failure(`interrupted after ${sent} records`)
}

interface Input {
  readonly stream: NodeJS.ReadableStream & { destroy(): unknown }
  /** 0 when not known. */
  readonly bytes: number
  /** A failed read as a sentence. */
  explain(error: unknown): unknown
}

function openInput(file: string | undefined): Input {
  if (file === undefined) return { stream: process.stdin, bytes: 0, explain: (error) => error }
  try {
    const bytes = statSync(file).size
    const stream = createReadStream(file, { highWaterMark: 1024 * 1024 })
    const explain = (error: unknown): unknown =>
      error instanceof Error && 'syscall' in error ? unreadable(file, error) : error
    return { stream, bytes, explain }
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, error: unknown): Failure {
  return new Failure(`--file: ${file} cannot be read: ${messageOf(error)}`)
}
