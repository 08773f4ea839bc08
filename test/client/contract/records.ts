/** Records in, records out: codecs, places to begin at, seeking, pausing, back-pressure, transactions of others. */
import kafkajs from 'kafkajs'
import type { Test } from 'tap'
import type { ConsumerRecord } from '../../../client/partition-reader.ts'
import { codecs } from '../../../src/records/codecs.ts'
import { failure, readAll, type Stage, values } from './stage.ts'

export async function records(t: Test, { address, client, newTopic, fill }: Stage): Promise<void> {
  await t.test('what goes in comes out, with every codec', async (t) => {
    const topic = await newTopic(3)
    const wanted = new Map<string, Buffer | null>()
    for (const compression of codecs) {
      const producer = client.producer({ compression, batchBytesMax: 4_000 })
      await producer.sendAll(
        Array.from({ length: 300 }, (_, i) => {
          const key = `${compression}-${i}`
          const value = i % 50 === 0 ? null : Buffer.alloc(i * 3, `${key} `)
          wanted.set(key, value)
          return {
            topic,
            key,
            value,
            headers: { codec: compression, empty: null },
            timestamp: 1_700_000_000_000 + i,
          }
        }),
      )
      await producer.close()
    }
    const records = await readAll(client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true }))
    t.equal(records.length, wanted.size)
    for (const { key, value, headers, timestamp } of records) {
      const name = String(key)
      const expected = wanted.get(name)
      if (expected === undefined || !(value === expected || (value !== null && expected?.equals(value))))
        t.fail(name)
      if (String(headers[0]?.value) !== name.split('-')[0] || headers[1]?.value !== null)
        t.fail(`headers of ${name}`)
      if (timestamp !== 1_700_000_000_000 + Number(name.split('-')[1])) t.fail(`timestamp of ${name}`)
    }
    for (const partition of [0, 1, 2]) {
      const offsets = records.filter((record) => record.partition === partition).map(({ offset }) => offset)
      t.same(offsets, [...offsets.keys()], `partition ${partition} is dense and in order`)
    }
  })

  await t.test('where a consumer begins', async (t) => {
    const topic = await newTopic()
    await fill(topic, 100)
    const from = async (position: NonNullable<Parameters<typeof client.consumer>[0]['from']>) =>
      values(await readAll(client.consumer({ topics: [topic], from: position, stopAtEnd: true })))
    t.equal((await from('beginning')).length, 100)
    t.same(await from('end'), [])
    t.same(await from(97), ['0/97', '0/98', '0/99'])
    t.same(await from({ timestamp: 1_700_000_000_098 }), ['0/98', '0/99'])
    t.same(await from({ timestamp: 1_800_000_000_000 }), [], 'a time that no record has reached is the end')
    t.equal((await from({ timestamp: 0 })).length, 100)

    const each = client.consumer({ assignments: [{ topic, partition: 0, from: 99 }], stopAtEnd: true })
    t.same(values(await readAll(each)), ['0/99'], 'a place of its own for a partition')

    const beyond = client.consumer({ topics: [topic], from: 5_000 })
    t.equal((await failure(readAll(beyond))).code, 'NO_OFFSET', 'outside the log is an error')
    const reset = client.consumer({ topics: [topic], from: 5_000, offsetReset: 'earliest' })
    for await (const record of reset) {
      t.equal(record.offset, 0, 'unless a reset was asked for')
      break
    }
    await Promise.all([beyond.close(), reset.close()])
  })

  await t.test('seek, pause, batches, the end', async (t) => {
    const topic = await newTopic(2)
    await fill(topic, 50, 0)
    await fill(topic, 50, 1)
    const consumer = client.consumer({ topics: [topic], from: 'beginning' })
    const seen: ConsumerRecord[] = []
    for await (const record of consumer) {
      seen.push(record)
      if (seen.length === 100) break
    }
    t.same(seen.map(({ value }) => String(value)).sort().length, 100)
    consumer.pause([{ topic, partition: 0 }])
    consumer.seek({ topic, partition: 0 }, 'beginning')
    consumer.seek({ topic, partition: 1 }, 40)
    const again: ConsumerRecord[] = []
    for await (const record of consumer) {
      again.push(record)
      if (again.length === 10) break
    }
    t.same(
      values(again),
      Array.from({ length: 10 }, (_, i) => `1/${40 + i}`),
      'the paused partition is silent',
    )
    consumer.resume([{ topic, partition: 0 }])
    let batches = 0
    let count = 0
    for await (const batch of consumer.batches()) {
      batches++
      count += batch.records.length
      t.ok(batch.records.every((record) => record.partition === batch.partition))
      t.equal(batch.highWatermark, 50)
      if (count === 50) break
    }
    t.ok(batches <= 5, 'many records at a time')
    t.throws(() => consumer.seek({ topic: 'other', partition: 0 }, 0), { code: 'INVALID_ARGUMENT' })

    const waiting = consumer[Symbol.asyncIterator]().next()
    await fill(topic, 1, 0)
    t.match(await waiting, { done: false, value: { offset: 50 } }, 'a record that comes later')
    const last = consumer[Symbol.asyncIterator]().next()
    await consumer.close()
    t.same(await last, { value: undefined, done: true }, 'close ends the loop')
  })

  await t.test('a slow reader gets everything, with little at hand', async (t) => {
    const topic = await newTopic(4)
    const producer = client.producer()
    const value = Buffer.alloc(10_000)
    await producer.sendAll(Array.from({ length: 400 }, (_, i) => ({ topic, partition: i % 4, value })))
    const consumer = client.consumer({
      topics: [topic],
      from: 'beginning',
      stopAtEnd: true,
      partitionBytesMax: 20_000,
      fetchBytesMax: 50_000,
      prefetchBytesMax: 100_000,
    })
    let count = 0
    for await (const _ of consumer)
      if (++count % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    t.equal(count, 400)
  })

  await t.test('a busy loop over what is at hand leaves the event loop its turns', async (t) => {
    const topic = await newTopic()
    await fill(topic, 3_000)
    let turns = 0
    let isOver = false
    const turn = (): void => {
      turns++
      if (!isOver) setImmediate(turn)
    }
    let begun = false
    for await (const _ of client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true })) {
      if (!begun) turn()
      begun = true
      const until = performance.now() + 0.1
      while (performance.now() < until);
    }
    isOver = true
    t.ok(turns > 10, `${turns} turns in a loop of 300 ms`)
  })

  await t.test('read_committed', async (t) => {
    const topic = await newTopic()
    const kafka = new kafkajs.Kafka({
      brokers: address.split(','),
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 2 },
    })
    const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
    try {
      await producer.connect()
      await (await producer.transaction()).abort()
    } catch {
      await producer.disconnect()
      t.pass('this broker has no transactions', { skip: true })
      return
    }
    t.teardown(() => producer.disconnect())
    const write = async (value: string) => {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: `${value} 1` }, { value: `${value} 2` }] })
      return transaction
    }
    await (await write('aborted')).abort()
    await (await write('committed')).commit()
    await fill(topic, 1)
    const open = await write('open')
    await fill(topic, 1)
    const read = async (isolation: 'read_committed' | 'read_uncommitted') =>
      values(
        await readAll(client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true, isolation })),
      )
    t.same(
      await read('read_committed'),
      ['committed 1', 'committed 2', '0/0'],
      'up to the first that is undecided',
    )
    t.equal((await read('read_uncommitted')).length, 8)
    const following = client.consumer({ topics: [topic], from: 'beginning', isolation: 'read_committed' })
    const seen: string[] = []
    for await (const { value } of following) {
      seen.push(String(value))
      if (seen.length === 3) await open.abort()
      if (seen.length === 4) break
    }
    await following.close()
    t.same(seen.slice(3), ['0/0'], 'what was aborted is passed over, what came behind it is read')
  })
}
