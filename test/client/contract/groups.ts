/** Consumer groups: what is committed, how partitions are shared, and what an operator does with offsets. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { Client } from '../../../client/client.ts'
import type { Consumer } from '../../../client/consumer.ts'
import type { ConsumerRecord } from '../../../client/partition-reader.ts'
import { failure, follow, readAll, type Stage, until, values } from './stage.ts'

export async function groups(t: Test, { address, admin, client, newTopic, fill }: Stage): Promise<void> {
  const member = (topic: string, groupId: string, options: object = {}): Consumer =>
    client.consumer({
      topics: [topic],
      groupId,
      from: 'beginning',
      heartbeatIntervalMs: 100,
      sessionTimeoutMs: 6_000,
      ...options,
    })

  await t.test('goes on where it stopped', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    await fill(topic, 20, 0)
    const first = member(topic, group)
    let count = 0
    for await (const _ of first) if (++count === 8) break
    await first.close()
    // Seven were finished; the eighth was in hand when the loop was left.
    const second = member(topic, group, { stopAtEnd: true })
    t.same(
      values(await readAll(second)),
      Array.from({ length: 13 }, (_, i) => `0/${i + 7}`),
    )
    await second.close()
    t.same(
      (await admin.committedOffsets(group)).map(({ partition, offset }) => `${partition}:${offset}`).sort(),
      ['0:20', '1:0'],
    )
  })

  await t.test('commits by hand', async (t) => {
    const topic = await newTopic()
    const group = `group-${randomUUID()}`
    await fill(topic, 10)
    const consumer = member(topic, group, { autoCommit: false })
    for await (const record of consumer) {
      if (record.offset === 4) await consumer.commit()
      if (record.offset === 6) break
    }
    await consumer.close()
    t.match(
      await admin.committedOffsets(group),
      [{ topic, partition: 0, offset: 5 }],
      'the record in hand included',
    )
  })

  await t.test('shares partitions, as members come and go; nothing is skipped', async (t) => {
    const topic = await newTopic(6)
    const group = `group-${randomUUID()}`
    for (let partition = 0; partition < 6; partition++) await fill(topic, 50, partition)
    const seen: ConsumerRecord[] = []
    const a = member(topic, group)
    const b = member(topic, group, { assignors: ['roundrobin', 'range'] })
    const following = [follow(a, seen)]
    await until('the first has all', () => a.assignment.length === 6)
    following.push(follow(b, seen))
    await until('they share', () => a.assignment.length === 3 && b.assignment.length === 3)
    const described = await admin.describeGroup(group)
    t.equal(described.state, 'Stable')
    t.same(
      described.members.map(({ assignment }) => assignment.length),
      [3, 3],
    )
    for (let partition = 0; partition < 6; partition++) await fill(topic, 50, partition)
    await until('both have read', () => new Set(seen.map((r) => `${r.partition}-${r.offset}`)).size === 600)
    await a.close()
    await until('the other takes over', () => b.assignment.length === 6)
    await fill(topic, 10, 0)
    await until('and reads', () => new Set(seen.map((r) => `${r.partition}-${r.offset}`)).size === 610)
    t.equal(seen.length, 610, 'and nothing was read twice, for all was orderly')
    await b.close()
    await Promise.all(following)
    t.same(
      (await admin.committedOffsets(group)).map(({ offset }) => offset).sort(),
      [100, 100, 100, 100, 100, 110],
    )
    t.equal((await admin.describeGroup(group)).state, 'Empty')
  })

  await t.test('who has left stays away, whatever its heartbeats hear', async (t) => {
    const topic = await newTopic()
    for (let round = 0; round < 10; round++) {
      const group = `group-${randomUUID()}`
      const consumer = member(topic, group, { heartbeatIntervalMs: 1 })
      const following = follow(consumer, [])
      await until('it has joined', () => consumer.assignment.length === 1)
      await consumer.close()
      await following
      const { state, members } = await admin.describeGroup(group)
      if (members.length > 0) t.fail(`round ${round}: ${state} with ${members.length}`)
    }
  })

  await t.test('a rebalance waits for the record in hand', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    await fill(topic, 1, 0)
    await fill(topic, 1, 1)
    let finish = (): void => {}
    const working = new Promise<void>((resolve) => {
      finish = resolve
    })
    const [seenA, seenB]: [ConsumerRecord[], ConsumerRecord[]] = [[], []]
    const a = member(topic, group)
    const followingA = follow(a, seenA, () => working)
    await until('the first has one in hand', () => seenA.length === 1)
    const b = member(topic, group)
    const followingB = follow(b, seenB)
    await new Promise((resolve) => setTimeout(resolve, 500))
    t.equal(b.assignment.length, 0, 'nothing moves while it works')
    t.equal(a.assignment.length, 2)
    finish()
    await until('they share', () => a.assignment.length === 1 && b.assignment.length === 1)
    await until('the other record is read', () => seenA.length + seenB.length === 2)
    await Promise.all([a.close(), b.close(), followingA, followingB])
    t.equal(seenA.length + seenB.length, 2, 'what was finished was committed before it moved')
  })

  await t.test('a static member keeps its partitions over a restart', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    const a = member(topic, group, { groupInstanceId: 'a' })
    const b = member(topic, group, { groupInstanceId: 'b' })
    const following = [follow(a, []), follow(b, [])]
    await until('they share', () => a.assignment.length === 1 && b.assignment.length === 1)
    const before = JSON.stringify(a.assignment)
    await a.close()
    const again = member(topic, group, { groupInstanceId: 'a' })
    following.push(follow(again, []))
    await until('it is back', () => again.assignment.length === 1)
    t.equal(JSON.stringify(again.assignment), before)
    t.equal(b.assignment.length, 1)
    await Promise.all([again.close(), b.close(), ...following])
  })

  await t.test('a topic that grows is divided again', async (t) => {
    const topic = await newTopic(1)
    const reader = new Client({ bootstrap: address, metadataMaxAgeMs: 200 })
    t.teardown(() => reader.close())
    const options = {
      topics: [topic],
      groupId: `group-${randomUUID()}`,
      from: 'beginning',
      heartbeatIntervalMs: 50,
    } as const
    const consumer = reader.consumer(options)
    const seen: ConsumerRecord[] = []
    const following = follow(consumer, seen)
    await until('it has one', () => consumer.assignment.length === 1)
    await admin.createPartitions(topic, 3)
    await until('it has three', () => consumer.assignment.length === 3)
    await consumer.close()
    await following
  })

  await t.test('offsets are reset, groups are deleted', async (t) => {
    const topic = await newTopic(2)
    const group = `group-${randomUUID()}`
    await fill(topic, 10, 0)
    await fill(topic, 20, 1)
    const consumer = member(topic, group)
    const seen: ConsumerRecord[] = []
    const following = follow(consumer, seen)
    await until('it has read', () => seen.length === 30)
    t.equal((await failure(admin.resetOffsets(group, { to: 'beginning' }))).code, 'NON_EMPTY_GROUP')
    t.equal((await failure(admin.deleteGroups([group]))).code, 'NON_EMPTY_GROUP')
    await consumer.close()
    await following
    const committed = async () => {
      const offsets = await admin.committedOffsets(group)
      return offsets.map(({ partition, offset }) => `${partition}:${offset}`).sort()
    }
    const plan = await admin.resetOffsets(group, { to: 15, dryRun: true })
    t.same(
      plan.map(({ partition, from, to }) => `${partition}: ${from} to ${to}`).sort(),
      ['0: 10 to 10', '1: 20 to 15'],
      'an offset behind the end becomes the end',
    )
    t.same(await committed(), ['0:10', '1:20'], 'a dry run changes nothing')
    await admin.resetOffsets(group, { to: { timestamp: 1_700_000_000_005 } })
    t.same(await committed(), ['0:5', '1:5'])
    await admin.resetOffsets(group, { to: 'end', partitions: [{ topic, partition: 0 }] })
    t.same(await committed(), ['0:10', '1:5'])
    const lags = await admin.groupOffsets(await admin.describeGroup(group))
    t.same(
      lags.map(({ partition, committed: at, end, lag }) => [partition, at, end, lag]),
      [
        [0, 10, 10, 0],
        [1, 5, 20, 15],
      ],
    )
    await admin.deleteOffsets(group, [{ topic, partition: 1 }])
    t.same(await committed(), ['0:10'])
    t.ok((await admin.listGroups()).some(({ groupId, state }) => groupId === group && state === 'Empty'))
    await admin.deleteGroups([group])
    t.equal((await failure(admin.describeGroup(group))).code, 'GROUP_ID_NOT_FOUND')
    t.equal((await failure(admin.deleteGroups([group]))).code, 'GROUP_ID_NOT_FOUND')
  })
}
