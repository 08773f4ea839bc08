/** What the client promises, against three brokers of which one after the other is killed meanwhile. */
import { subscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { Client } from '../../client/client.ts'
import type { ClientEvents } from '../../client/diagnostics.ts'
import type { ConsumerRecord } from '../../client/partition-reader.ts'
import { NemesisCluster } from '../nemesis/cluster.ts'
import { contract } from './contract/contract.ts'
import { Killer } from './contract/killer.ts'
import { follow, readAll, stageAt, until } from './contract/stage.ts'

const cluster = await NemesisCluster.start({ count: 3 })
t.teardown(() => cluster.close())
const watcher = new Client({ bootstrap: cluster.bootstrap, requestTimeoutMs: 3_000 })
t.teardown(() => watcher.close())

/** Runs `work` while brokers die; returns who died. */
async function amongKills(work: () => Promise<unknown>): Promise<readonly number[]> {
  const killer = new Killer(cluster, watcher.admin())
  const killing = killer.run()
  await Promise.race([work(), killing])
  killer.stop()
  await killing
  return killer.killed
}

t.test('the contract holds while brokers are killed', async (t) => {
  const killed = await amongKills(() => contract(t, stageAt(cluster.bootstrap)))
  t.ok(killed.length >= 3, `killed: ${killed}`)
})

t.test('a stream of records: each is stored once, in order, and read by the group', async (t) => {
  const stage = stageAt(cluster.bootstrap)
  t.teardown(() => stage.client.close())
  const topic = await stage.newTopic(3)
  const truncations: unknown[] = []
  subscribe('lograft:client:truncated', (message) => truncations.push(message))
  let retries = 0
  subscribe('lograft:client:request', (message) => {
    const { api, error } = message as ClientEvents['request']
    if (api === 'Produce' && error !== null) retries++
  })
  const seen: ConsumerRecord[] = []
  const options = { topics: [topic], groupId: topic, from: 'beginning', sessionTimeoutMs: 6_000 } as const
  const members = [stage.client.consumer(options), stage.client.consumer(options)]
  const following = members.map((member) => follow(member, seen))

  let sent = 0
  const acknowledged: Promise<{ partition: number; offset: number }>[] = []
  const producer = stage.client.producer()
  let isOver = false
  const writing = (async () => {
    while (!isOver) {
      const room = Array.from({ length: 20 }, () => sent++).map((n) => {
        const stored = producer.send({ topic, partition: n % 3, value: `${n}` })
        acknowledged.push(stored)
        return stored
      })
      if (acknowledged.length % 200 === 0) await Promise.all(room)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  const killed = await amongKills(async () => {
    await Promise.race([writing, new Promise((resolve) => setTimeout(resolve, 20_000))])
  })
  isOver = true
  await writing
  const places = await Promise.all(acknowledged)
  t.ok(killed.length >= 3 && retries > 0, `killed: ${killed}; ${retries} requests had to be repeated`)

  const stored = await readAll(stage.client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true }))
  for (const partition of [0, 1, 2]) {
    const values = stored.filter((record) => record.partition === partition).map(({ value }) => Number(value))
    const wanted = Array.from({ length: sent }, (_, n) => n).filter((n) => n % 3 === partition)
    t.same(values, wanted, `partition ${partition}: all of ${wanted.length}, once, in the order of sending`)
  }
  const misplaced = stored.filter(({ partition, offset, value }) => {
    const place = places[Number(value)]
    return place?.partition !== partition || (place.offset !== offset && place.offset !== -1)
  })
  t.same(misplaced, [], 'each where its sender was told')
  const names = () => new Set(seen.map(({ partition, offset }) => `${partition}:${offset}`)).size
  await until(`the group has read all ${sent}`, () => names() === sent)
  t.same(truncations, [], 'nothing that was acknowledged was lost')
  await Promise.all(members.map((member) => member.close()))
  await Promise.all(following)
})
