/** DeleteRecords at random, and topics that come and go: what was answered must hold after every crash. */
import { errorName } from '../../../src/base/error-codes.ts'
import { CreateTopics } from '../../../src/protocol/apis/create-topics.ts'
import { DeleteRecords } from '../../../src/protocol/apis/delete-records.ts'
import { DeleteTopics } from '../../../src/protocol/apis/delete-topics.ts'
import { Metadata } from '../../../src/protocol/apis/metadata.ts'
import { zeroUuid } from '../../../src/protocol/notation.ts'
import { keyOf, pick, type Stage, sleep, wireClient } from '../stage.ts'

export async function trim(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const client = wireClient(stage, name)
  while (!stage.isOver) {
    const place = pick(stage.places, random)
    const offset = random.below(100)
    const begun = stage.recorder.begin(name)
    const answer = await client.ask(DeleteRecords, {
      topics: [{ name: place.topic, partitions: [{ partitionIndex: place.partition, offset }] }],
      timeoutMs: 1000,
    })
    const row = answer?.topics[0]?.partitions[0]
    const error = row === undefined ? null : errorName(row.errorCode)
    const outcome = error === 'NONE' ? 'ok' : error === 'OFFSET_OUT_OF_RANGE' ? 'fail' : 'info'
    begun.end(outcome, { kind: 'trim', key: keyOf(place), offset })
    await sleep(stage, 200 + random.below(1500))
  }
  client.close()
}

/** What is known of a topic: there, gone, or nobody knows. */
type Standing = 'there' | 'gone' | 'unknown'

export async function administer(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const client = wireClient(stage, name)
  const topics = new Map<string, Standing>()
  while (!stage.isOver) {
    const there = [...topics].filter(([, standing]) => standing !== 'gone').map(([topic]) => topic)
    if (there.length < 3 || random.chance(0.5)) {
      const topic = `scratch-${topics.size}`
      topics.set(topic, 'unknown')
      const answer = await client.ask(CreateTopics, {
        topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 1000,
      })
      stage.recorder.trace(`${name} create ${topic} ${answer?.topics[0]?.errorCode}`)
      if (answer?.topics[0]?.errorCode === 0) topics.set(topic, 'there')
    } else {
      const topic = pick(there, random)
      topics.set(topic, 'unknown')
      const request = { topics: [{ name: topic, topicId: zeroUuid }], topicNames: [], timeoutMs: 1000 }
      const answer = await client.ask(DeleteTopics, request)
      stage.recorder.trace(`${name} delete ${topic} ${answer?.responses[0]?.errorCode}`)
      if (answer?.responses[0]?.errorCode === 0) topics.set(topic, 'gone')
    }
    const metadata = await client.ask(Metadata, {
      topics: null,
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    })
    if (metadata !== null) compare(stage, topics, new Set(metadata.topics.map((topic) => topic.name ?? '')))
    await sleep(stage, random.below(800))
  }
  client.close()
}

function compare(stage: Stage, topics: ReadonlyMap<string, Standing>, listed: ReadonlySet<string>): void {
  for (const [topic, standing] of topics) {
    if (standing === 'there' && !listed.has(topic))
      stage.recorder.violate(`topic ${topic} was created and is not there`)
    if (standing === 'gone' && listed.has(topic))
      stage.recorder.violate(`topic ${topic} was deleted and is there`)
  }
}
