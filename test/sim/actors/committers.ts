/** Groups that commit offsets and read them back. */
import { FindCoordinator } from '../../../src/protocol/apis/find-coordinator.ts'
import { OffsetCommit } from '../../../src/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../../src/protocol/apis/offset-fetch.ts'
import { keyOf, type Place, pick, type Stage, sleep, wireClient } from '../stage.ts'
import type { WireClient } from '../wire-client.ts'

const commitVersion = 7
const fetchVersion = 5

export async function commit(stage: Stage, group: string): Promise<void> {
  const random = stage.random.fork(group)
  const client = wireClient(stage, group)
  const place = pick(stage.places, random)
  for (let offset = 1; !stage.isOver; offset += 1 + random.below(3)) {
    await client.ask(FindCoordinator, { keyType: 0, coordinatorKeys: [group] })
    await commitOnce(stage, client, group, place, offset)
    if (random.chance(0.5)) await committed(stage, client, group, group, place)
    await sleep(stage, random.below(150))
  }
  client.close()
}

/** What every group has committed, read once more. */
export async function readCommitted(
  stage: Stage,
  name: string,
  groups: readonly string[],
): Promise<string | null> {
  const client = wireClient(stage, name)
  for (const group of groups) {
    await client.ask(FindCoordinator, { keyType: 0, coordinatorKeys: [group] })
    for (const place of stage.places) {
      if (!(await committed(stage, client, name, group, place)))
        return `${group}: no OffsetFetch of ${keyOf(place)}`
    }
  }
  client.close()
  return null
}

async function commitOnce(
  stage: Stage,
  client: WireClient,
  group: string,
  place: Place,
  offset: number,
): Promise<void> {
  const begun = stage.recorder.begin(group)
  const request = {
    groupId: group,
    memberId: '',
    groupInstanceId: null,
    topics: [
      {
        name: place.topic,
        partitions: [{ partitionIndex: place.partition, committedOffset: offset, committedMetadata: null }],
      },
    ],
  }
  const answer = await client.ask(OffsetCommit, request, commitVersion)
  const row = answer?.topics[0]?.partitions[0]
  const isDone = row?.errorCode === 0
  begun.end(isDone ? 'ok' : 'info', { kind: 'commit', group, key: keyOf(place), offset })
}

async function committed(
  stage: Stage,
  client: WireClient,
  process: string,
  group: string,
  place: Place,
): Promise<boolean> {
  const begun = stage.recorder.begin(process)
  const topics = [{ name: place.topic, partitionIndexes: [place.partition] }]
  const answer = await client.ask(OffsetFetch, { groupId: group, topics }, fetchVersion)
  const row = answer?.topics[0]?.partitions[0]
  if (row === undefined || row.errorCode !== 0 || answer?.errorCode !== 0) return false
  begun.end('ok', { kind: 'committed', group, key: keyOf(place), offset: row.committedOffset })
  return true
}
