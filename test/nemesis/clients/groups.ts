/** Groups: offsets that are committed and read back, and members that share the topic, by the client library. */
import { Client } from '../../../client/client.ts'
import type { Cluster } from '../../../client/cluster.ts'
import { asKafkaError, ClientClosed, refused } from '../../../client/errors.ts'
import { OffsetCommit } from '../../../src/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../../src/protocol/apis/offset-fetch.ts'
import { keyOf, type Place, type Stage, sleep } from '../stage.ts'

const commitVersion = 7
const fetchVersion = 5
/** The checker compares each commit of a group with each reading: groups end before that gets long. */
const commitsPerGroup = 100

/** Commits growing offsets, one after the other, and reads them back. */
export async function commit(stage: Stage, name: string, place: Place): Promise<void> {
  const cluster = stage.cluster.client(name)
  const key = keyOf(place)
  for (let n = 0; !stage.isOver; n++) {
    const group = `${name}-${Math.floor(n / commitsPerGroup)}`
    const offset = 1 + (n % commitsPerGroup) * 2
    const end = stage.recording.begin(name)
    const isDone = await commitOnce(cluster, group, place, offset)
    end(isDone ? 'ok' : 'info', { kind: 'commit', group, key, offset })
    const endFetch = stage.recording.begin(name)
    const committed = await committedOf(cluster, group, place)
    if (committed !== null) endFetch('ok', { kind: 'committed', group, key, offset: committed })
    await sleep(100)
  }
  cluster.lifetime.end(new ClientClosed(name))
}

async function commitOnce(cluster: Cluster, groupId: string, place: Place, offset: number): Promise<boolean> {
  const partitions = [{ partitionIndex: place.partition, committedOffset: offset, committedMetadata: null }]
  const topics = [{ name: place.topic, partitions }]
  const request = { groupId, memberId: '', groupInstanceId: null, topics }
  const done = await attempt(cluster, async () => {
    const answer = await cluster.requestCoordinator(groupId, OffsetCommit, request, { cap: commitVersion })
    const errorCode = answer.topics[0]?.partitions[0]?.errorCode ?? -1
    if (errorCode !== 0) throw refused(errorCode, groupId)
    return true
  })
  return done ?? false
}

/** null when there is no answer. */
async function committedOf(cluster: Cluster, groupId: string, place: Place): Promise<number | null> {
  const topics = [{ name: place.topic, partitionIndexes: [place.partition] }]
  return await attempt(cluster, async () => {
    const answer = await cluster.requestCoordinator(
      groupId,
      OffsetFetch,
      { groupId, topics },
      { cap: fetchVersion },
    )
    const row = answer.topics[0]?.partitions[0]
    if (answer.errorCode !== 0) throw refused(answer.errorCode, groupId)
    return row?.errorCode === 0 ? row.committedOffset : null
  })
}

async function attempt<T>(cluster: Cluster, ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    cluster.forget(asKafkaError(error))
    return null
  }
}

/** A member that goes on until the end; should it fail, that is an error that reached an application. */
export async function join(stage: Stage, name: string, group: string): Promise<void> {
  for (let life = 1; !stage.isOver; life++) {
    await consume(stage, `${name}.${life}`, group)
    await sleep(100)
  }
}

async function consume(stage: Stage, process: string, group: string): Promise<void> {
  const { recording, places } = stage
  const client = new Client({ bootstrap: stage.cluster.bootstrap, clientId: process })
  const seek = (place: Place): void => recording.begin(process)('ok', { kind: 'seek', key: keyOf(place) })
  const consumer = client.consumer({
    topics: [...new Set(places.map(({ topic }) => topic))],
    groupId: group,
    from: 'beginning',
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 1000,
    autoCommitIntervalMs: 500,
    onTruncated: ({ topic, partition, divergedAt }) =>
      recording.violate(`${process}: ${topic}-${partition} was truncated at ${divergedAt}`),
    rebalance: { assigned: (partitions) => partitions.forEach(seek) },
  })
  const watch = setInterval(() => {
    if (stage.isOver) void client.close({ timeoutMs: 2000 }).catch(() => {})
  }, 100)
  try {
    const batches = consumer.batches()
    for (;;) {
      const { value: batch, done } = await batches.next()
      if (done === true || batch === undefined) break
      const end = recording.begin(process)
      const records = batch.records.map(({ offset, value }) => [offset, value?.toString() ?? ''] as const)
      const { highWatermark } = batch
      end('ok', {
        kind: 'poll',
        key: keyOf(batch),
        records,
        highWatermark,
        logStart: -1,
        endedMs: 0,
        isFinal: false,
      })
    }
  } catch (error) {
    if (!stage.isOver) recording.surface(process, String((error as { code?: string }).code ?? error))
  }
  clearInterval(watch)
  await client.close({ timeoutMs: 2000 }).catch(() => {})
}
