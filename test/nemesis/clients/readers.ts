/** Readers of bytes: one partition each, from the beginning, every answer on record; and the full reading at the end. */
import type { Cluster } from '../../../client/cluster.ts'
import { asKafkaError, ClientClosed } from '../../../client/errors.ts'
import { errorName } from '../../../src/base/error-codes.ts'
import { Fetch } from '../../../src/protocol/apis/fetch.ts'
import { ListOffsets } from '../../../src/protocol/apis/list-offsets.ts'
import { verifyCrc } from '../../../src/records/batch.ts'
import { readRecords } from '../../../src/records/records.ts'
import { batchPositions } from '../../../src/records/scan.ts'
import { keyOf, type Place, type Stage, sleep } from '../stage.ts'

const fetchVersion = 12
const listVersion = 6
const expandedBytesMax = 1 << 20

interface Limits {
  readonly maxWaitMs: number
  readonly partitionMaxBytes: number
  readonly isFinal: boolean
}

export async function read(stage: Stage, name: string, place: Place): Promise<void> {
  const cluster = stage.cluster.client(name)
  const reader = new Reader(stage, name, cluster, place)
  let offset = 0
  for (let round = 0; !stage.isOver; round++) {
    const next = await reader.poll(offset, { maxWaitMs: 200, partitionMaxBytes: 1 << 20, isFinal: false })
    if (typeof next === 'number') offset = next
    else await sleep(50)
    if (round % 5 === 0) await reader.bound(round % 2 === 0 ? 'latest' : 'earliest')
  }
  cluster.lifetime.end(new ClientClosed(name))
}

/** Everything of one partition, from the start to the end. Resolves with where it ends. @throws when it is not served in time */
export async function readWhole(
  stage: Stage,
  name: string,
  place: Place,
  timeoutMs: number,
): Promise<number> {
  const cluster = stage.cluster.client(name)
  const reader = new Reader(stage, name, cluster, place)
  const deadline = performance.now() + timeoutMs
  const patiently = async (what: string, ask: () => Promise<number | string>): Promise<number> => {
    for (;;) {
      const answer = await ask()
      if (typeof answer === 'number') return answer
      if (performance.now() > deadline)
        throw new Error(`${keyOf(place)}: ${what} is answered ${answer} to the end`)
      await sleep(100)
    }
  }
  const end = await patiently('ListOffsets', () => reader.bound('latest'))
  let offset = await patiently('ListOffsets', () => reader.bound('earliest'))
  while (offset < end) {
    const limits = { maxWaitMs: 0, partitionMaxBytes: 4 << 20, isFinal: true }
    const next = await patiently(`Fetch at ${offset}`, () => reader.poll(offset, limits))
    if (next === offset) throw new Error(`${keyOf(place)}: nothing at ${offset}, and the end is ${end}`)
    offset = next
  }
  cluster.lifetime.end(new ClientClosed(name))
  return end
}

class Reader {
  readonly #stage: Stage
  readonly #name: string
  readonly #cluster: Cluster
  readonly #place: Place

  constructor(stage: Stage, name: string, cluster: Cluster, place: Place) {
    this.#stage = stage
    this.#name = name
    this.#cluster = cluster
    this.#place = place
  }

  /** Resolves with where to go on, or with what is wrong. */
  async poll(offset: number, { maxWaitMs, partitionMaxBytes, isFinal }: Limits): Promise<number | string> {
    const { recording } = this.#stage
    const key = keyOf(this.#place)
    const end = recording.begin(this.#name)
    const { topic, partition } = this.#place
    return await this.#attempt(async (leader, currentLeaderEpoch) => {
      const partitions = [{ partition, currentLeaderEpoch, fetchOffset: offset, partitionMaxBytes }]
      const request = {
        maxWaitMs,
        minBytes: 1,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [{ topic, partitions }],
        forgottenTopicsData: [],
      }
      const lane = 'fetch-0'
      const answer = await this.#cluster.request(leader, Fetch, request, { lane, cap: fetchVersion })
      const row = answer.responses[0]?.partitions[0]
      if (row === undefined) return errorName(answer.errorCode)
      if (row.errorCode !== 0) {
        const error = errorName(row.errorCode)
        // Nothing is ever removed here: to be told so means that the end went back, and a consumer would begin anew.
        if (error === 'OFFSET_OUT_OF_RANGE')
          recording.violate(`${key}: offset ${offset} was out of range for ${this.#name}`)
        return error
      }
      if (row.records.some(isDamaged)) {
        recording.violate(`${key}: damaged bytes were served at ${offset}, by broker ${leader}`)
        return 'CORRUPT_MESSAGE'
      }
      const records = recordsIn(row.records, offset)
      const { highWatermark, logStartOffset: logStart } = row
      end('ok', { kind: 'poll', key, records, highWatermark, logStart, endedMs: 0, isFinal })
      return (records.at(-1)?.[0] ?? offset - 1) + 1
    })
  }

  /** ListOffsets. Resolves with the offset, or with what is wrong. */
  async bound(which: 'earliest' | 'latest'): Promise<number | string> {
    const end = this.#stage.recording.begin(this.#name)
    const { topic, partition } = this.#place
    return await this.#attempt(async (leader, currentLeaderEpoch) => {
      const timestamp = which === 'latest' ? -1 : -2
      const partitions = [{ partitionIndex: partition, currentLeaderEpoch, timestamp }]
      const request = { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions }] }
      const answer = await this.#cluster.request(leader, ListOffsets, request, { cap: listVersion })
      const row = answer.topics[0]?.partitions[0]
      if (row === undefined || row.errorCode !== 0) return errorName(row?.errorCode ?? -1)
      const { offset } = row
      end('ok', { kind: 'bound', key: keyOf(this.#place), which, offset, endedMs: 0 })
      return offset
    })
  }

  async #attempt(ask: (leader: number, epoch: number) => Promise<number | string>): Promise<number | string> {
    const { metadata } = this.#cluster
    try {
      const { leader, leaderEpoch } = await metadata.leader(this.#place.topic, this.#place.partition)
      const answer = await ask(leader, leaderEpoch)
      if (typeof answer === 'string') metadata.invalidate()
      return answer
    } catch (thrown) {
      const error = asKafkaError(thrown)
      this.#cluster.forget(error)
      metadata.invalidate()
      return error.code
    }
  }
}

function isDamaged(run: Buffer): boolean {
  for (const at of batchPositions(run)) if (!verifyCrc(run, at)) return true
  return false
}

function recordsIn(runs: readonly Buffer[], from: number): [number, string][] {
  const records: [number, string][] = []
  for (const run of runs) {
    for (const at of batchPositions(run)) {
      for (const { offset, value } of readRecords(run, at, { maxExpandedBytes: expandedBytesMax })) {
        if (offset >= from) records.push([offset, value?.toString() ?? ''])
      }
    }
  }
  return records
}
