/** Settings of topics and brokers: in force when AlterConfigs is answered, and after a restart. */
import t from 'tap'
import { AlterConfigs } from '../../src/protocol/apis/alter-configs.ts'
import { CreateTopics } from '../../src/protocol/apis/create-topics.ts'
import { IncrementalAlterConfigs } from '../../src/protocol/apis/incremental-alter-configs.ts'
import { Node } from './node.ts'

const kib = 'x'.repeat(1024)

t.test('max.message.bytes: topic before broker before all brokers', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders')
  const isTaken = async () => typeof (await node.produce('orders', [kib])) === 'number'
  const isTakenAlsoAfterRestart = async () => {
    const before = await isTaken()
    await node.restart()
    t.equal(await isTaken(), before)
    return before
  }
  t.equal(await isTaken(), true)
  t.match(await node.alter({ broker: '' }, { 'message.max.bytes': '1000' }), { error: 'NONE' })
  t.equal(await isTakenAlsoAfterRestart(), false)
  t.match(await node.alter({ broker: '1' }, { 'message.max.bytes': '5000' }), { error: 'NONE' })
  t.equal(await isTakenAlsoAfterRestart(), true)
  t.match(await node.alter({ topic: 'orders' }, { 'max.message.bytes': '1000' }), { error: 'NONE' })
  t.equal(await node.produce('orders', [kib]), 'MESSAGE_TOO_LARGE')
  t.equal(await isTakenAlsoAfterRestart(), false)

  // The old AlterConfigs without anything takes all of it back.
  const { responses } = await node.ask(AlterConfigs, {
    resources: [{ resourceType: 2, resourceName: 'orders', configs: [] }],
    validateOnly: false,
  })
  t.match(responses, [{ errorCode: 0 }])
  t.equal(await isTakenAlsoAfterRestart(), true)
})

t.test('segment.bytes and segment.ms', async (t) => {
  const node = await Node.start(t)
  const id = await node.createTopic('orders')
  const segments = () => node.files(new RegExp(`${id}-0/.*\\.log$`)).length
  const write = async () => {
    for (let i = 0; i < 4; i++) await node.produce('orders', [kib])
  }
  await write()
  t.equal(segments(), 1)
  await node.alter({ topic: 'orders' }, { 'segment.bytes': '1500' })
  await write()
  t.equal(segments(), 5, 'a segment for each batch of more than a KiB')
  await node.restart()
  await write()
  t.equal(segments(), 9)
  await node.alter({ topic: 'orders' }, { 'segment.bytes': '1000000', 'segment.ms': '60000' })
  await node.clock.advance(61_000)
  await write()
  t.equal(segments(), 10)
  t.equal((await node.consume('orders')).length, 16)
})

t.test('flush.messages: what acks=all waits for', async (t) => {
  const node = await Node.start(t)
  const id = await node.createTopic('orders')
  let syncs = 0
  node.onDisk = ({ kind, path }) => {
    if (kind === 'sync' && path.includes(id)) syncs++
    return undefined
  }
  const write = async () => {
    syncs = 0
    for (let i = 0; i < 10; i++) await node.produce('orders', ['x'])
    return syncs
  }
  t.ok((await write()) >= 10, 'every acknowledgement is on disk')
  await node.alter({ topic: 'orders' }, { 'flush.messages': '9223372036854775807' })
  t.equal(await write(), 0, 'written is enough')
  await node.alter({ topic: 'orders' }, { 'flush.ms': '500' })
  await node.produce('orders', ['x'])
  await node.clock.advance(1000)
  t.ok(syncs > 0, 'but not for longer than flush.ms')
  await node.alter({ topic: 'orders' }, { 'flush.messages': '5' })
  const some = await write()
  t.ok(some >= 1 && some < 10, `a sync after so many records (${some})`)
  await node.restart()
  t.ok((await write()) < 10)
})

t.test('a setting is in force for a topic that is being made meanwhile', async (t) => {
  const node = await Node.start(t)
  const [one, other] = [await node.connect(), await node.connect()]
  const alterMessageMaxBytes = (value: string) =>
    other.ask(IncrementalAlterConfigs, {
      resources: [
        {
          resourceType: 4,
          resourceName: '',
          configs: [{ name: 'message.max.bytes', value, configOperation: 0 }],
        },
      ],
      validateOnly: false,
    })
  // At every turn of the making.
  for (let turns = 0; turns < 12; turns++) {
    await alterMessageMaxBytes('10000')
    const made = one.createTopic(`wide-${turns}`, 30)
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([made, alterMessageMaxBytes('100')])
    const answers = new Set<unknown>()
    for (let partition = 0; partition < 30; partition++) {
      answers.add(await node.produce(`wide-${turns}`, [kib], { partition }))
    }
    t.strictSame([...answers], ['MESSAGE_TOO_LARGE'])
  }
})

t.test('what is not served is refused with a sentence, and changes nothing', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders', 1, { 'retention.ms': '1000' })
  const refused: [name: string, value: string, sentence: RegExp][] = [
    ['cleanup.policy', 'compact', /'cleanup.policy' 'compact' is not served yet; .*cleanup.policy=delete/],
    ['cleanup.policy', 'compact,delete', /is not served yet/],
    ['cleanup.policy', 'snapshot', /is not served yet/],
    ['cleanup.policy', 'archive', /wants one of delete, not 'archive'/],
    ['compression.type', 'gzip', /stored as they came/],
    ['retention.ms', 'a week', /'retention.ms' wants a whole number, not 'a week'/],
    ['segment.bytes', '10', /'segment.bytes' must be at least 1024, not 10/],
    ['retention.sm', '1', /'retention.sm' is not a setting of topics here/],
  ]
  for (const [name, value, sentence] of refused) {
    const { topics } = await node.ask(CreateTopics, {
      topics: [
        { name: 'more', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{ name, value }] },
      ],
      timeoutMs: 1000,
    })
    t.match(topics, [{ errorCode: 40, errorMessage: sentence }], `create with ${name}=${value}`)
    t.match(await node.alter({ topic: 'orders' }, { 'retention.bytes': '5', [name]: value }), {
      error: 'INVALID_CONFIG',
      message: sentence,
    })
  }
  t.match(await node.alter({ broker: '1' }, { 'log.cleanup.policy': 'compact' }), { error: 'INVALID_CONFIG' })
  t.match(await node.alter({ broker: '1' }, { 'num.partitions': '3' }), {
    error: 'INVALID_REQUEST',
    message: /read at start only/,
  })
  t.strictSame(await node.topicNames(), ['orders'])
  await node.produce('orders', ['x'])
  t.strictSame(await node.consume('orders'), ['x'])
})

t.test('a setting of another release has no effect, and is reported', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders')
  await node.alter({ broker: '' }, { 'log.segment.bytes': '20000', 'message.max.bytes': '100' })
  await node.stop()
  // As if this release had another bound.
  const row = (await import('../../src/config/table.ts')).table['log.segment.bytes'] as { min: number }
  const { min } = row
  row.min = 30_000
  t.teardown(() => {
    row.min = min
  })
  await node.start()
  t.match(
    node.events.find(({ event }) => event === 'config.ignored'),
    { level: 'warn', message: /'log.segment.bytes' must be at least 30000/ },
  )
  t.equal(await node.produce('orders', [kib]), 'MESSAGE_TOO_LARGE', 'the others hold')
})
