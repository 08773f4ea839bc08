/** Members of a consumer group, by the client library: they share the topics, and start again when they fail. */
import { keyOf, type Stage, sleep } from '../stage.ts'
import { clientOf } from './producers.ts'
import { textOf } from './readers.ts'

export async function join(stage: Stage, name: string, group: string): Promise<void> {
  for (let life = 1; !stage.isOver; life++) {
    await consume(stage, `${name}.${life}`, group)
    await sleep(stage, 100)
  }
}

async function consume(stage: Stage, process: string, group: string): Promise<void> {
  const { recorder, clock } = stage
  const client = clientOf(stage, process)
  const consumer = client.consumer({
    topics: [...new Set(stage.places.map(({ topic }) => topic))],
    groupId: group,
    from: 'beginning',
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
    rebalanceTimeoutMs: 2000,
    autoCommitIntervalMs: 300,
    fetchWaitMs: 100,
    onTruncated: ({ topic, partition, divergedAt }) => {
      const key = keyOf({ topic, partition })
      if (!recorder.unsynced.has(key)) recorder.violate(`${process}: ${key} was truncated at ${divergedAt}`)
      recorder.begin(process).end('ok', { kind: 'seek', key })
    },
    rebalance: {
      // What it reads next begins at what was committed.
      assigned: (partitions) => {
        for (const place of partitions) recorder.begin(process).end('ok', { kind: 'seek', key: keyOf(place) })
      },
    },
  })
  const watch = clock.setTimer(500, function look() {
    if (stage.isOver) void client.close({ timeoutMs: 500 }).catch(() => {})
    else clock.setTimer(500, look)
  })
  try {
    const batches = consumer.batches()
    for (;;) {
      const { value: batch, done } = await batches.next()
      if (done === true || batch === undefined) break
      // Not before: what was asked for under another assignment may begin anywhere.
      const begun = recorder.begin(process)
      recorder.mark('a member read a batch')
      const records = batch.records.map(({ offset, value }) => [offset, textOf(value)] as const)
      begun.end('ok', {
        kind: 'poll',
        key: keyOf(batch),
        records,
        highWatermark: batch.highWatermark,
        logStart: -1,
        endedMs: clock.monotonic(),
        isFinal: false,
      })
    }
  } catch (error) {
    recorder.mark(`member ${(error as { code?: string }).code ?? String(error)}`)
  }
  watch.cancel()
  await client.close({ timeoutMs: 500 }).catch(() => {})
}
