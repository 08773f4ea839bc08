/** What a node finds again after a stop, a kill and a loss of power, and which data folders it does not take. */
import t from 'tap'
import { DescribeConfigs } from '../../src/protocol/apis/describe-configs.ts'
import { InitProducerId } from '../../src/protocol/apis/init-producer-id.ts'
import { dataDir, Node } from './node.ts'

const clusterLog = '00000000-0000-0000-0000-000000000001-0'

async function configOf(node: Node, resourceType: number, resourceName: string, name: string) {
  const { results } = await node.ask(DescribeConfigs, {
    resources: [{ resourceType, resourceName, configurationKeys: [name] }],
    includeSynonyms: false,
    includeDocumentation: false,
  })
  return results[0]?.configs[0]?.value
}

async function producerId(node: Node): Promise<number> {
  const request = { transactionalId: null, transactionTimeoutMs: 1, producerId: -1, producerEpoch: -1 }
  return (await node.ask(InitProducerId, request)).producerId
}

t.test('a stop and a start keep everything, and leave nothing to recover', async (t) => {
  const node = await Node.start(t, { settings: { 'offsets.topic.num.partitions': 3 } })
  const { clusterId } = node.broker
  const orders = await node.createTopic('orders', 3, { 'retention.ms': '1000000' })
  await node.createTopic('gone')
  await node.deleteTopic('gone')
  await node.produce('orders', ['a', 'b'], { partition: 2 })
  await node.alter({ topic: 'orders' }, { 'segment.bytes': '4096' })
  await node.alter({ broker: '' }, { 'log.retention.bytes': '77777' })
  await node.alter({ broker: '1' }, { 'message.max.bytes': '2222' })
  t.equal(await node.commit('billing', 'orders', 1, 2), 'NONE')
  const id = await producerId(node)

  for (const how of ['stop', 'kill'] as const) {
    node.events.length = 0
    if (how === 'stop') await node.stop()
    else node.kill()
    await node.start()
    t.equal(node.broker.clusterId, clusterId, how)
    t.strictSame(await node.topicNames(), ['__consumer_offsets', 'orders'])
    const { topics } = await node.metadata(['orders'])
    t.match(topics, [{ topicId: orders, partitions: [{ leaderId: 1 }, { leaderId: 1 }, { leaderId: 1 }] }])
    t.strictSame(await node.consume('orders', { partition: 2 }), ['a', 'b'])
    t.equal(await configOf(node, 2, 'orders', 'retention.ms'), '1000000')
    t.equal(await configOf(node, 2, 'orders', 'segment.bytes'), '4096')
    t.equal(await configOf(node, 2, 'orders', 'retention.bytes'), '77777')
    t.equal(await configOf(node, 4, '1', 'message.max.bytes'), '2222')
    t.equal(await node.committed('billing', 'orders', 2), 1)
    t.ok((await producerId(node)) > id, 'producer ids do not come twice')
    const trouble = [...node.said('warn'), ...node.said('error')]
    t.strictSame(trouble, [], 'nothing to report')
    if (how === 'stop') t.notOk(node.said('info').includes('log.recovered'), 'nothing was checked')
  }
})

t.test('what was acknowledged survives a loss of power, from the first minute on', async (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const node = await Node.start(t, { seed })
    await node.createTopic('orders', 2)
    const client = await node.client
    const acknowledged = await Promise.all(
      Array.from({ length: 20 }, (_, n) => client.produce('orders', [`v${n}`], { partition: n % 2 })),
    )
    await node.commit('billing', 'orders', 7)
    // On its way when the power goes: may be there afterwards, or not.
    void client.produce('orders', ['late']).catch(() => {})
    node.losePower()
    await node.start()
    for (const partition of [0, 1]) {
      const found = await node.consume('orders', { partition })
      const wanted = acknowledged.flatMap((_, n) => (n % 2 === partition ? [`v${n}`] : []))
      t.strictSame(found.slice(0, wanted.length), wanted, `seed ${seed}`)
      t.ok(found.length <= wanted.length + 1)
    }
    t.equal(await node.committed('billing', 'orders'), 7)
    await node.stop()
  }
})

t.test('a data folder has one broker at a time', async (t) => {
  const node = await Node.start(t)
  const other = new Node()
  other.disk.mount = () => node.mount
  await t.rejects(other.start(), {
    name: 'DataFolderRefused',
    message: /^the data folder \S+ is in use by another broker process: .*--data-dir/,
  })
  await node.createTopic('orders')
  t.equal(await node.produce('orders', ['a']), 0, 'the first is not disturbed')
})

t.test('a data folder of somebody else is refused, and left as it is', async (t) => {
  const node = await Node.start(t)
  const orders = await node.createTopic('orders')
  await node.produce('orders', ['a'])
  await node.stop()
  const identity = `${dataDir}/identity.json`
  const sound = node.disk.bytesOf(identity).toString()
  const before = node.files(/./)
  const refused = async (message: RegExp) => {
    await t.rejects(node.start(), { name: 'DataFolderRefused', message })
    t.strictSame(node.files(/./), before, 'nothing was touched')
    node.disk.damage(identity, () => Buffer.from(sound))
  }

  node.nodeId = 2
  await refused(/belongs to node 1, and this broker was started as node 2/)
  node.nodeId = 1
  const damages: [RegExp, (text: string) => string][] = [
    [/is no JSON object.*Restore it/, () => ''],
    [/is no JSON object/, (text) => text.slice(0, 20)],
    [/is no JSON object/, () => 'null'],
    [/'version' is missing/, () => '[]'],
    [/version 9.*start the release that wrote it/, (text) => text.replace('"version": 1', '"version": 9')],
    [/'nodeId' is no number/, (text) => text.replace('"nodeId": 1', '"nodeId": "1"')],
    [/'diskId' is no uuid/, (text) => text.replace(/"diskId": "../, '"diskId": "xx')],
    [/'clusterId' is missing/, (text) => text.replace('clusterId', 'clusterID')],
    [
      /belongs to cluster .*, not to /,
      (text) => text.replace(/"clusterId": ".{8}/, '"clusterId": "00000000'),
    ],
    [/registered with another disk/, (text) => text.replace(/"diskId": ".{8}/, '"diskId": "00000000')],
  ]
  for (const [message, damage] of damages) {
    node.disk.damage(identity, (bytes) => Buffer.from(damage(bytes.toString())))
    await refused(message)
  }

  node.mount.remove(identity)
  await t.rejects(node.start(), {
    name: 'DataFolderRefused',
    message: /holds partitions but no identity.json/,
  })
  node.mount.open(identity, 'create').write([Buffer.from(sound)], 0)
  const log = `${dataDir}/partitions/${clusterLog}`
  node.mount.rename(log, '/srv/aside')
  await t.rejects(node.start(), {
    name: 'DataFolderRefused',
    message: /the cluster's own log is missing: restore/,
  })
  node.mount.rename('/srv/aside', log)

  await node.start()
  t.strictSame(await node.consume('orders'), ['a'])
  t.equal((await node.metadata(['orders'])).topics[0]?.topicId, orders)
})

t.test('a folder that no topic claims is moved aside and reported, never removed', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders')
  await node.stop()
  const stray = '99999999-0000-4000-8000-000000000000-0'
  node.mount.mkdir(`${dataDir}/partitions/${stray}`)
  node.mount
    .open(`${dataDir}/partitions/${stray}/00000000000000000000.log`, 'create')
    .write([Buffer.from('x')], 0)
  await node.start()
  t.match(
    node.events.find(({ event }) => event === 'folder.orphan'),
    { level: 'warn', message: /moved aside to .*orphans/ },
  )
  t.strictSame(node.files(/orphans/).length, 1)
  t.notOk(node.mount.list(`${dataDir}/partitions`).includes(stray))
})
