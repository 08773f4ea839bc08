/** Topics for a load, and what their batches look like. */
import { CreateTopics } from '../../src/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../src/protocol/apis/delete-topics.ts'
import { BatchBuilder } from '../../src/records/records.ts'
import type { LoadConnection } from './connection.ts'

/** Values of flush.messages: every batch is on the disk before it is acknowledged, or when the system pleases. */
export const flushes = { synced: '1', unsynced: '9223372036854775807' } as const

export async function makeTopic(
  connection: LoadConnection,
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
  replicationFactor = 1,
): Promise<void> {
  const answer = await connection.ask(CreateTopics, 4, {
    topics: [
      {
        name,
        numPartitions: partitions,
        replicationFactor,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ],
    timeoutMs: 30_000,
  })
  const { errorCode, errorMessage } = answer.topics[0] ?? { errorCode: -1, errorMessage: 'no answer' }
  if (errorCode !== 0) throw new Error(`create ${name}: error ${errorCode} ${errorMessage ?? ''}`)
}

export async function dropTopic(connection: LoadConnection, name: string): Promise<void> {
  await connection.ask(DeleteTopics, 3, { topicNames: [name], timeoutMs: 30_000 })
}

export interface Payload {
  readonly batch: Buffer
  readonly records: number
}

/** One batch of about `batchBytes` with records whose values have `recordBytes` each and do not compress to nothing. */
export function payload(recordBytes: number, batchBytes: number): Payload {
  const builder = new BatchBuilder({ codec: 'none' })
  const noise = Buffer.from(
    Array.from({ length: recordBytes }, (_, i) => (i * 7919 + (i >> 3) * 104_729) & 0xff),
  )
  const timestamp = Date.now()
  while (builder.count === 0 || builder.sizeBytes + recordBytes + 8 <= batchBytes) {
    builder.append({ key: null, value: noise, headers: [], timestamp })
  }
  return { batch: builder.build(), records: builder.count }
}
