/** Readers of bytes: one partition each, from the beginning, every answer on record; and the full reading at the end. */
import { errorName } from '../../../src/base/error-codes.ts'
import { Fetch } from '../../../src/protocol/apis/fetch.ts'
import { ListOffsets } from '../../../src/protocol/apis/list-offsets.ts'
import type { RequestInput } from '../../../src/protocol/notation.ts'
import { readRecords } from '../../../src/records/records.ts'
import { batchPositions } from '../../../src/records/scan.ts'
import { ClusterClient } from '../cluster-client.ts'
import { keyOf, type Place, pick, type Stage, sleep } from '../stage.ts'

const fetchVersion = 12

export async function read(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const client = new ClusterClient(stage, name)
  const place = pick(stage.places, random)
  const partitionMaxBytes = pick([1, 300, 100_000], random)
  let offset = 0
  while (!stage.isOver) {
    const limits = { maxWaitMs: random.below(3) * 50, partitionMaxBytes, isFinal: false }
    const next = await readOnce(stage, client, name, place, offset, limits)
    if (typeof next === 'number') offset = next
    await sleep(stage, random.below(80))
  }
  client.close()
}

/** Everything from the start to the end. Resolves with the error of the first partition that does not serve, or null. */
export async function readAll(stage: Stage, name: string): Promise<string | null> {
  for (const place of stage.places) {
    const client = new ClusterClient(stage, name)
    stage.recorder.begin(name).end('ok', { kind: 'seek', key: keyOf(place) })
    const start = await boundOf(stage, client, name, place, 'earliest')
    if (typeof start === 'string') return `${keyOf(place)}: ListOffsets ${start}`
    for (let offset = start; ; ) {
      const limits = { maxWaitMs: 0, partitionMaxBytes: 100_000, isFinal: true }
      const next = await readOnce(stage, client, name, place, offset, limits)
      if (typeof next === 'string') return `${keyOf(place)}: Fetch at ${offset} ${next}`
      if (next === offset) break
      offset = next
    }
    await boundOf(stage, client, name, place, 'latest')
    client.close()
  }
  return null
}

/** Resolves with where to go on; with the error's name when that is not known. */
async function readOnce(
  stage: Stage,
  client: ClusterClient,
  name: string,
  place: Place,
  offset: number,
  limits: { maxWaitMs: number; partitionMaxBytes: number; isFinal: boolean },
): Promise<number | string> {
  const { recorder } = stage
  const key = keyOf(place)
  const leader = await client.leader(place)
  if (leader === null) return 'no leader'
  const begun = recorder.begin(name)
  const request = fetchRequest(place, offset, leader.epoch, limits)
  const answer = await leader.client.ask(Fetch, request, fetchVersion)
  const row = answer?.responses[0]?.partitions[0]
  if (row?.errorCode !== 0) client.misled(place)
  if (row === undefined) return 'unanswered'
  if (row.errorCode !== 0) {
    recorder.mark(`fetch ${errorName(row.errorCode)}`)
    if (errorName(row.errorCode) !== 'OFFSET_OUT_OF_RANGE') return errorName(row.errorCode)
    recorder.begin(name).end('ok', { kind: 'seek', key })
    const start = await boundOf(stage, client, name, place, 'earliest')
    // It has read up to there: only what lies below the start is out of range.
    if (typeof start === 'number' && start <= offset && !recorder.unsynced.has(key))
      recorder.violate(`${name}: ${offset} of ${key} was called out of range, and the log starts at ${start}`)
    return start
  }
  const records = recordsIn(row.records, offset)
  const { highWatermark, logStartOffset: logStart } = row
  const endedMs = stage.clock.monotonic()
  begun.end('ok', { kind: 'poll', key, records, highWatermark, logStart, endedMs, isFinal: limits.isFinal })
  return (records.at(-1)?.[0] ?? offset - 1) + 1
}

function fetchRequest(
  { topic, partition }: Place,
  fetchOffset: number,
  currentLeaderEpoch: number,
  { maxWaitMs, partitionMaxBytes }: { maxWaitMs: number; partitionMaxBytes: number },
): RequestInput<typeof Fetch> {
  return {
    maxWaitMs,
    minBytes: 1,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [{ partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes }] }],
    forgottenTopicsData: [],
  } as RequestInput<typeof Fetch>
}

function recordsIn(runs: readonly Buffer[], from: number): [number, string][] {
  const records: [number, string][] = []
  for (const run of runs) {
    for (const at of batchPositions(run)) {
      for (const { offset, value } of readRecords(run, at, { maxExpandedBytes: 1 << 20 })) {
        if (offset >= from) records.push([offset, textOf(value)])
      }
    }
  }
  return records
}

/** Without what fills it up. */
export function textOf(value: Buffer | null): string {
  return value?.toString().replace(/\.+$/, '') ?? ''
}

export async function list(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const client = new ClusterClient(stage, name)
  while (!stage.isOver) {
    await boundOf(
      stage,
      client,
      name,
      pick(stage.places, random),
      pick(['earliest', 'latest'] as const, random),
    )
    await sleep(stage, random.below(100))
  }
  client.close()
}

async function boundOf(
  stage: Stage,
  client: ClusterClient,
  name: string,
  place: Place,
  which: 'earliest' | 'latest',
): Promise<number | string> {
  const leader = await client.leader(place)
  if (leader === null) return 'no leader'
  const begun = stage.recorder.begin(name)
  const timestamp = which === 'latest' ? -1 : -2
  const currentLeaderEpoch = leader.epoch
  const answer = await leader.client.ask(ListOffsets, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [
      { name: place.topic, partitions: [{ partitionIndex: place.partition, currentLeaderEpoch, timestamp }] },
    ],
  })
  const row = answer?.topics[0]?.partitions[0]
  if (row?.errorCode !== 0) client.misled(place)
  if (row === undefined) return 'unanswered'
  if (row.errorCode !== 0) return errorName(row.errorCode)
  const { offset } = row
  begun.end('ok', { kind: 'bound', key: keyOf(place), which, offset, endedMs: stage.clock.monotonic() })
  return offset
}
