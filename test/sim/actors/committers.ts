/** Groups that commit offsets and read them back. */
import { OffsetCommit } from '../../../src/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../../src/protocol/apis/offset-fetch.ts'
import { ClusterClient } from '../cluster-client.ts'
import { keyOf, type Place, pick, type Stage, sleep } from '../stage.ts'

const commitVersion = 7
const fetchVersion = 5

export async function commit(stage: Stage, group: string): Promise<void> {
  const random = stage.random.fork(group)
  const client = new ClusterClient(stage, group)
  const place = pick(stage.places, random)
  for (let offset = 1; !stage.isOver; offset += 1 + random.below(3)) {
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
  const client = new ClusterClient(stage, name)
  for (const group of groups) {
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
  client: ClusterClient,
  group: string,
  place: Place,
  offset: number,
): Promise<void> {
  const coordinator = await client.coordinator(group)
  if (coordinator === null) return
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
  const answer = await coordinator.ask(OffsetCommit, request, commitVersion)
  const row = answer?.topics[0]?.partitions[0]
  const isDone = row?.errorCode === 0
  if (!isDone) client.misled(group)
  begun.end(isDone ? 'ok' : 'info', { kind: 'commit', group, key: keyOf(place), offset })
}

async function committed(
  stage: Stage,
  client: ClusterClient,
  process: string,
  group: string,
  place: Place,
): Promise<boolean> {
  const coordinator = await client.coordinator(group)
  if (coordinator === null) return false
  const begun = stage.recorder.begin(process)
  const topics = [{ name: place.topic, partitionIndexes: [place.partition] }]
  const answer = await coordinator.ask(OffsetFetch, { groupId: group, topics }, fetchVersion)
  const row = answer?.topics[0]?.partitions[0]
  if (row === undefined || row.errorCode !== 0 || answer?.errorCode !== 0) {
    client.misled(group)
    return false
  }
  begun.end('ok', { kind: 'committed', group, key: keyOf(place), offset: row.committedOffset })
  return true
}
