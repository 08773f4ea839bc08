/** DeleteRecords at random, and topics that come and go: what was answered must hold after every crash. */
import { errorName } from '../../../src/base/error-codes.ts'
import { CreateTopics } from '../../../src/protocol/apis/create-topics.ts'
import { DeleteRecords } from '../../../src/protocol/apis/delete-records.ts'
import { DeleteTopics } from '../../../src/protocol/apis/delete-topics.ts'
import { Metadata } from '../../../src/protocol/apis/metadata.ts'
import { zeroUuid } from '../../../src/protocol/notation.ts'
import { ClusterClient } from '../cluster-client.ts'
import { keyOf, pick, type Stage, sleep } from '../stage.ts'
import type { WireClient } from '../wire-client.ts'

export async function trim(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const client = new ClusterClient(stage, name)
  while (!stage.isOver) {
    await sleep(stage, 200 + random.below(1500))
    const place = pick(stage.places, random)
    const offset = random.below(100)
    const leader = await client.leader(place)
    if (leader === null) continue
    const begun = stage.recorder.begin(name)
    const answer = await leader.client.ask(DeleteRecords, {
      topics: [{ name: place.topic, partitions: [{ partitionIndex: place.partition, offset }] }],
      timeoutMs: 1000,
    })
    const row = answer?.topics[0]?.partitions[0]
    const error = row === undefined ? null : errorName(row.errorCode)
    if (error !== 'NONE') client.misled(place)
    const outcome = error === 'NONE' ? 'ok' : error === 'OFFSET_OUT_OF_RANGE' ? 'fail' : 'info'
    begun.end(outcome, { kind: 'trim', key: keyOf(place), offset })
  }
  client.close()
}

/** What is known of a topic: there, gone, or nobody knows. */
type Standing = 'there' | 'gone' | 'unknown'
export type Standings = Map<string, Standing>

/** Makes and removes topics. What it knows in the end is in `topics`. */
export async function administer(stage: Stage, name: string, topics: Standings): Promise<void> {
  const random = stage.random.fork(name)
  const client = new ClusterClient(stage, name)
  while (!stage.isOver) {
    const there = [...topics].filter(([, standing]) => standing !== 'gone').map(([topic]) => topic)
    const broker = client.any()
    if (there.length < 3 || random.chance(0.5)) await create(stage, broker, name, topics)
    else await remove(stage, broker, name, topics, pick(there, random))
    // Who has answered knows of it, as long as it is the same process: the others may be late.
    const { connection } = broker
    const listed = await topicsOn(broker)
    if (listed !== null && broker.connection === connection) compareOf(stage, topics, listed, broker)
    await sleep(stage, random.below(800))
  }
  client.close()
}

async function create(stage: Stage, broker: WireClient, name: string, topics: Standings): Promise<void> {
  const topic = `scratch-${topics.size}`
  topics.set(topic, 'unknown')
  const answer = await broker.ask(CreateTopics, {
    topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 1000,
  })
  stage.recorder.trace(`${name} create ${topic} ${answer?.topics[0]?.errorCode}`)
  if (answer?.topics[0]?.errorCode === 0) learn(topics, topic, 'there', broker)
}

async function remove(
  stage: Stage,
  broker: WireClient,
  name: string,
  topics: Standings,
  topic: string,
): Promise<void> {
  topics.set(topic, 'unknown')
  const request = { topics: [{ name: topic, topicId: zeroUuid }], topicNames: [], timeoutMs: 1000 }
  const answer = await broker.ask(DeleteTopics, request)
  stage.recorder.trace(`${name} delete ${topic} ${answer?.responses[0]?.errorCode}`)
  if (answer?.responses[0]?.errorCode === 0) learn(topics, topic, 'gone', broker)
}

/** Over which connection each was learnt. */
const learntFrom = new WeakMap<object, Set<string>>()

function learn(topics: Standings, topic: string, standing: Standing, { connection }: WireClient): void {
  topics.set(topic, standing)
  if (connection === null) return
  const learnt = learntFrom.get(connection) ?? new Set()
  learntFrom.set(connection, learnt.add(topic))
}

function compareOf(stage: Stage, topics: Standings, listed: ReadonlySet<string>, broker: WireClient): void {
  const learnt = broker.connection === null ? undefined : learntFrom.get(broker.connection)
  compare(stage, new Map([...topics].filter(([topic]) => learnt?.has(topic) === true)), listed)
}

async function topicsOn(broker: WireClient): Promise<ReadonlySet<string> | null> {
  const metadata = await broker.ask(Metadata, {
    topics: null,
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  })
  return metadata === null ? null : new Set(metadata.topics.map((topic) => topic.name ?? ''))
}

/** In the end all brokers say the same. Resolves with who does not answer, or null. */
export async function checkTopics(stage: Stage, name: string, topics: Standings): Promise<string | null> {
  const client = new ClusterClient(stage, name)
  for (const nodeId of stage.plan.brokers) {
    const listed = await topicsOn(client.at(nodeId))
    if (listed === null) return `broker ${nodeId} does not answer`
    compare(stage, topics, listed)
  }
  client.close()
  return null
}

function compare(stage: Stage, topics: Standings, listed: ReadonlySet<string>): void {
  for (const [topic, standing] of topics) {
    if (standing === 'there' && !listed.has(topic))
      stage.recorder.violate(`topic ${topic} was created and is not there`)
    if (standing === 'gone' && listed.has(topic))
      stage.recorder.violate(`topic ${topic} was deleted and is there`)
  }
}
