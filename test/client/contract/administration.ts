/** What an operator asks of a cluster. */
import type { Test } from 'tap'
import { failure, readAll, type Stage, until } from './stage.ts'

export async function administration(t: Test, { admin, client, newTopic, fill }: Stage): Promise<void> {
  const { brokers, clusterId, controllerId } = await admin.describeCluster()
  t.ok(clusterId)
  t.ok(brokers.some(({ nodeId }) => nodeId === controllerId))

  const topic = await newTopic(2, { 'retention.ms': '86400000' })
  t.match(
    (await admin.listTopics()).find(({ name }) => name === topic),
    { isInternal: false },
  )
  const [described] = await admin.describeTopics([topic])
  t.equal(described?.partitions.length, 2)
  t.ok(
    described?.partitions.every(({ leader, inSync }) => leader >= 0 && inSync.length > 0),
    'ready when it is created',
  )

  t.match(await admin.describeConfigs({ type: 'topic', name: topic }, ['retention.ms']), [
    { name: 'retention.ms', value: '86400000', isDefault: false, source: 'topic' },
  ])
  await admin.alterConfigs(
    { type: 'topic', name: topic },
    { 'retention.ms': '3600000', 'segment.bytes': '2000000' },
  )
  await admin.alterConfigs({ type: 'topic', name: topic }, { 'segment.bytes': null })
  // Brokers of Kafka hear of it a little after it was acknowledged.
  await until('one is set, the other as it was', async () => {
    const configs = await admin.describeConfigs({ type: 'topic', name: topic })
    const own = configs.filter(({ source }) => source === 'topic')
    return `${own.map(({ name, value }) => `${name}=${value}`)}` === 'retention.ms=3600000'
  })
  const wrong = await failure(admin.alterConfigs({ type: 'topic', name: topic }, { 'retention.ms': 'soon' }))
  t.equal(wrong.code, 'INVALID_CONFIG')

  await admin.createPartitions(topic, 4)
  await until('it has grown', async () => (await admin.describeTopics([topic]))[0]?.partitions.length === 4)
  t.equal((await failure(admin.createPartitions(topic, 3))).code, 'INVALID_PARTITIONS')

  await fill(topic, 100, 0, Date.now())
  t.match(await admin.deleteRecords([{ topic, partition: 0, before: 60 }]), [
    { partition: 0, lowWatermark: 60 },
  ])
  t.match(await admin.findOffsets([{ topic, partition: 0, at: 'beginning' }]), [{ offset: 60 }])
  t.match(await admin.deleteRecords([{ topic, partition: 0, before: 'end' }]), [{ lowWatermark: 100 }])
  t.equal(
    (await failure(admin.deleteRecords([{ topic, partition: 0, before: 200 }]))).code,
    'OFFSET_OUT_OF_RANGE',
  )

  const dirs = await admin.describeLogDirs()
  t.ok(dirs.some(({ partitions }) => partitions.some((row) => row.topic === topic && row.bytes >= 0)))

  t.equal((await failure(admin.createTopics([{ name: topic }]))).code, 'TOPIC_ALREADY_EXISTS')
  t.equal((await failure(admin.createTopics([{ name: 'no/slash' }]))).code, 'INVALID_TOPIC_EXCEPTION')
  const bad = await failure(admin.createTopics([{ name: `${topic}-x`, configs: { 'no.such.setting': '1' } }]))
  t.equal(bad.code, 'INVALID_CONFIG')
  await admin.createTopics([{ name: `${topic}-y` }], { validateOnly: true })
  const missing = await failure(admin.describeTopics([`${topic}-x`, `${topic}-y`]))
  t.match(missing, { name: 'PartialFailure', errors: { length: 2 } }, 'several failures are all told')

  const reading = failure(readAll(client.consumer({ topics: [topic], from: 'beginning' })))
  await admin.deleteTopics([topic])
  t.match(await reading, { code: /UNKNOWN_TOPIC/ }, 'who reads a deleted topic is told')
  await until('it is gone', async () => !(await admin.listTopics()).some(({ name }) => name === topic))
  t.equal((await failure(admin.deleteTopics([topic]))).code, 'UNKNOWN_TOPIC_OR_PARTITION')
  t.equal((await failure(readAll(client.consumer({ topics: [topic] })))).code, 'UNKNOWN_TOPIC_OR_PARTITION')
}
