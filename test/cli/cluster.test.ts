/** `lograft cluster ...` against brokers in processes of their own: partitions move, leaders change, brokers leave. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Client } from '../../client/client.ts'
import { NemesisCluster } from '../nemesis/cluster.ts'
import { BrokerNode } from '../nemesis/node.ts'
import { kafkajs } from '../wire/readers.ts'
import { jsonLines, lograft, type Outcome, outcomeOf, start } from './command.ts'

t.setTimeout(300_000)

const settings = { 'lograft.election.timeout.ms': '1000', 'lograft.heartbeat.ms': '100' }
const cluster = await NemesisCluster.start({ count: 3, settings })
t.teardown(() => cluster.close())
const fourth = new BrokerNode({
  ...{
    id: 4,
    dataDir: join(cluster.folder, 'broker-4'),
    host: '127.0.0.1',
    port: 0,
    peerPort: 0,
    prefix: [],
  },
  voters: cluster.voters,
  settings: { ...settings, 'broker.rack': 'west' },
})
t.teardown(() => fourth.kill())
await fourth.start()
const { bootstrap } = cluster
const client = new Client({ bootstrap })
t.teardown(() => client.close())
const admin = client.admin()

/** Runs a command that must succeed, within a time. */
async function run(...words: string[]): Promise<Outcome> {
  const child = start([...words, '--bootstrap', bootstrap])
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000)
  const outcome = await outcomeOf(child)
  clearTimeout(late)
  if (outcome.code === 0) return outcome
  throw new Error(`lograft ${words.join(' ')}: exit ${outcome.code}: ${outcome.stderr}`)
}
const json = async (...words: string[]) => jsonLines(await run(...words, '--json'))

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function partitionsOf(topic: string) {
  const [described] = await admin.describeTopics([topic])
  return described?.partitions ?? []
}
const replicasOf = async (topic: string) => (await partitionsOf(topic)).map(({ replicas }) => replicas)
const allInSync = (topic: string) =>
  until(`all replicas of ${topic} in sync`, async () =>
    (await partitionsOf(topic)).every(({ inSync, replicas }) => inSync.length === replicas.length),
  )

/** A topic with these replicas, and a record in each partition. */
async function newTopic(name: string, replicas: readonly number[][]): Promise<void> {
  await admin.createTopics([{ name, partitions: replicas.length, replicationFactor: 1 }])
  await admin.alterPartitionReassignments(
    replicas.map((ids, partition) => ({ topic: name, partition, replicas: ids })),
  )
  const places = replicas.map((_, partition) => ({ topic: name, partition }))
  await admin.awaitReassignments(places, { timeoutMs: 20_000 })
  const producer = client.producer()
  await producer.sendAll(replicas.map((_, partition) => ({ topic: name, partition, value: `${partition}` })))
  await producer.close()
  await allInSync(name)
  await admin.electLeaders(places)
}

const valuesOf = async (topic: string) =>
  (await run('consume', topic, '--exit-at-end')).stdout.split('\n').slice(0, -1).sort()

t.test('status', async (t) => {
  await newTopic('seen', [[1, 2, 3], [2]])
  await until('a controller that all follow', async () => {
    const { voters, observers } = await admin.describeQuorum()
    return [...voters, ...observers].every(({ lag }) => lag === 0)
  })
  const [status] = await json('cluster', 'status')
  t.match(status, {
    clusterId: String,
    controllerId: Number,
    brokers: [
      { nodeId: 1, host: '127.0.0.1', port: Number, rack: null, preferred: 1, hosts: 1, behind: 0 },
      { nodeId: 2, preferred: 1, hosts: 2, behind: 0 },
      { nodeId: 3, preferred: 0, hosts: 1, behind: 0 },
      { nodeId: 4, rack: 'west', leads: 0, hosts: 0 },
    ],
    quorum: {
      leader: status?.controllerId,
      replicas: [
        { nodeId: 1, lag: 0 },
        { nodeId: 2, lag: 0 },
        { nodeId: 3, lag: 0 },
        { nodeId: 4, role: 'observer', lag: 0 },
      ],
    },
    topics: 1,
    partitions: 2,
    leaderless: [],
    underReplicated: [],
    reassignments: [],
  })
  const { stdout } = await run('cluster', 'status')
  t.match(stdout, /1 topic, 2 partitions: all led, all in sync\n\nBROKER +ADDRESS +RACK +LEADS +PREFERRED/)
  t.match(stdout, /the cluster's own log: epoch \d+, high watermark \d+\nNODE +ROLE +END +LAG\n/)
  t.match(stdout, /\n4 +observer +\d+ +0\n/)
})

t.test('reassign', async (t) => {
  await newTopic('moved', [[1], [1, 2], [3, 2]])
  const folder = await mkdtemp(join(tmpdir(), 'lograft-cli-'))
  t.teardown(() => rm(folder, { recursive: true }))
  t.same(await json('cluster', 'reassign', '--topic', 'moved', '--replicas', '4,2', '--wait'), [
    { topic: 'moved', partition: 0, from: [1], to: [4, 2], done: true },
    { topic: 'moved', partition: 1, from: [1, 2], to: [2, 4], done: true },
    { topic: 'moved', partition: 2, from: [3, 2], to: [4, 2], done: true },
  ])
  t.same(
    await replicasOf('moved'),
    [
      [4, 2],
      [2, 4],
      [4, 2],
    ],
    'in turn the first',
  )
  const one = await run(
    'cluster',
    'reassign',
    '--topic',
    'moved',
    '--partition',
    '1',
    '--replicas',
    '3',
    '--wait',
  )
  t.match(one.stdout, /TOPIC +PARTITION +FROM +TO\nmoved +1 +2,4 +3\n1 partition moved\n/)

  const plan = join(folder, 'plan.json')
  const row = (partition: number, replicas: number[]) => ({ topic: 'moved', partition, replicas })
  await writeFile(plan, JSON.stringify({ version: 1, partitions: [row(0, [1, 3]), row(2, [2])] }))
  await run('cluster', 'reassign', '--file', plan, '--wait')
  t.same(await replicasOf('moved'), [[1, 3], [3], [2]])
  t.same(await valuesOf('moved'), ['0', '1', '2'], 'the records moved along')

  await fourth.stop()
  await run('cluster', 'reassign', '--topic', 'moved', '--partition', '2', '--replicas', '4')
  const moving = [{ topic: 'moved', partition: 2, replicas: [4, 2], adding: [4], removing: [2] }]
  t.same(await json('cluster', 'reassign', '--list'), moving)
  t.match((await json('cluster', 'status'))[0], { reassignments: moving })
  t.match((await run('cluster', 'status')).stdout, /4 +down .*\n[\s\S]*reassignments under way\n/)
  t.same(await json('cluster', 'reassign', '--cancel', '--topic', 'seen'), [], 'of another topic')
  t.equal((await run('cluster', 'reassign', '--cancel', '--wait')).stdout, '1 partition called back\n')
  t.equal((await run('cluster', 'reassign', '--list')).stdout, 'no reassignments under way\n')
  t.same((await replicasOf('moved'))[2], [2])
  await fourth.start()

  const refused = await lograft([
    'cluster',
    'reassign',
    '--topic',
    'moved',
    '--partition',
    '9',
    '--replicas',
    '1',
    '--bootstrap',
    bootstrap,
  ])
  t.same([refused.code, refused.stderr], [1, 'lograft: topic moved has no partition 9: it has 3\n'])
  const unknown = await lograft([
    'cluster',
    'reassign',
    '--topic',
    'moved',
    '--replicas',
    '1,77',
    '--bootstrap',
    bootstrap,
  ])
  t.equal(unknown.code, 1)
  t.match(
    unknown.stderr,
    /partition moved-0: .*77.*INVALID_REPLICA_ASSIGNMENT.*: name brokers of the cluster/,
  )
})

t.test('kafkajs moves partitions, too', async (t) => {
  await newTopic('foreign', [[1], [2, 1]])
  const foreign = kafkajs(cluster.node(3).bootstrap).admin()
  t.teardown(() => foreign.disconnect())
  await foreign.connect()
  const partitionAssignment = [
    { partition: 0, replicas: [3, 2] },
    { partition: 1, replicas: [3] },
  ]
  await foreign.alterPartitionReassignments({ topics: [{ topic: 'foreign', partitionAssignment }] })
  await until('nothing on its way', async () => {
    const { topics } = await foreign.listPartitionReassignments({})
    return topics.length === 0
  })
  t.same(await replicasOf('foreign'), [[3, 2], [3]])
  const wrong = [{ topic: 'foreign', partitionAssignment: [{ partition: 0, replicas: [77] }] }]
  await t.rejects(foreign.alterPartitionReassignments({ topics: wrong }), /assignment/i)
  t.same(await valuesOf('foreign'), ['0', '1'])
})

t.test('transfer-leadership', async (t) => {
  await newTopic('led', [[1, 2, 3], [1, 3], [1]])
  t.match(await json('cluster', 'transfer-leadership', 'led', '0', '--to', '3'), [
    { topic: 'led', partition: 0, from: Number, to: 3 },
  ])
  const [first] = await partitionsOf('led')
  t.match(first, { leader: 3, replicas: [3, 1, 2] }, 'it is the preferred leader now')
  t.match((await run('cluster', 'transfer-leadership', 'led', '0', '--to', '3')).stdout, /it led already/)
  const fails = async (...words: string[]) => {
    const { code, stderr } = await lograft([
      'cluster',
      'transfer-leadership',
      ...words,
      '--bootstrap',
      bootstrap,
    ])
    return [code, stderr]
  }
  t.same(await fails('led', '1', '--to', '2'), [
    1,
    'lograft: broker 2 holds no replica of led-1, only 1, 3 do: move it there with lograft cluster reassign\n',
  ])
  t.same(await fails('led', '7', '--to', '2'), [1, 'lograft: topic led has no partition 7: it has 3\n'])

  const second = { topic: 'led', partition: 1 }
  await admin.alterPartitionReassignments([{ ...second, replicas: [3, 1] }])
  await admin.electLeaders([second])
  await until('the preferred leader leads', async () => (await partitionsOf('led'))[1]?.leader === 3)
  t.same(await admin.electLeaders([second]), [], 'none was needed')
  t.same(await admin.electLeaders([second], 'unclean'), [])
  await t.rejects(admin.electLeaders([second, { topic: 'led', partition: 9 }]), {
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
  })

  const before = (await admin.listTopics()).flatMap(({ partitions }) => partitions)
  const alone = before.filter(({ leader, inSync }) => leader === 1 && inSync.length === 1).length
  const [code, stderr] = await fails('--from', '1')
  t.equal(code, 1, 'some have nobody else')
  t.match(stderr, /no other replica of led-2 is in sync\n[\s\S]*with broker 1: it has no replica elsewhere/)
  const after = (await admin.listTopics()).flatMap(({ partitions }) => partitions)
  t.equal(after.filter(({ leader }) => leader === 1).length, alone, 'all others went')
  t.same(await valuesOf('led'), ['0', '1', '2'])
})

t.test('decommission', async (t) => {
  await newTopic('kept', [
    [4, 1],
    [1, 4],
    [4, 2, 3],
    [2, 3],
  ])
  const fails = async (id: string) => {
    const { code, stderr } = await lograft(['cluster', 'decommission', id, '--bootstrap', bootstrap])
    return [code, stderr]
  }
  t.same(await fails('77'), [
    1,
    'lograft: broker 77: broker 77 is not registered (BROKER_ID_NOT_REGISTERED): see the ids with lograft cluster status\n',
  ])
  await fourth.kill()
  // Two replicas make no majority without one of them; three do.
  await t.rejects(client.admin({ timeoutMs: 8_000 }).decommission(4), {
    code: 'LEADER_NOT_AVAILABLE',
    message: /decommission of broker 4: nobody leads what is left to move \(kept-0, kept-1\)/,
  })
  t.match((await replicasOf('kept'))[2]?.includes(4), false, 'it has begun with what it could')
  await fourth.start()
  t.match(await json('cluster', 'decommission', '4', '--wave', '1'), [{ nodeId: 4, decommissioned: true }])
  await fourth.stop()
  const places = await replicasOf('kept')
  t.notOk(places.flat().includes(4))
  t.same(
    places.map(({ length }) => length),
    [2, 2, 3, 2],
  )
  await allInSync('kept')
  t.same(await valuesOf('kept'), ['0', '1', '2', '3'])
  const back = await fourth.start().then(
    () => 'it came back',
    (error: Error) => error.message,
  )
  t.match(back, /broker 4 was taken out of this cluster/)

  // The controller itself goes: whoever asks it to may hear of that from its successor only.
  const { leader: leaving } = await admin.describeQuorum()
  const staying = [1, 2, 3].filter((id) => id !== leaving)
  const [code, stderr] = await fails(`${leaving}`)
  t.equal(code, 1)
  t.match(
    stderr,
    /^lograft: broker \d cannot leave: topic (kept|led|seen) has 3 replicas of each partition, and without it only 2 brokers are left: start another broker first/,
  )
  t.same(await replicasOf('kept'), places, 'nothing moved')
  for (const topic of ['kept', 'led', 'seen']) {
    await run('cluster', 'reassign', '--topic', topic, '--replicas', `${staying}`, '--wait')
  }
  const outcome = await run('cluster', 'decommission', `${leaving}`)
  t.match(outcome.stdout, /^broker \d is out of the cluster, \d+ replicas? moved; it may be stopped\n$/)
  await until('a controller among those that stay', async () =>
    staying.includes((await admin.describeQuorum()).leader),
  )
  const [status] = await json('cluster', 'status')
  const rows = staying.map((nodeId) => ({ nodeId }))
  t.match(status, { brokers: rows, quorum: { replicas: rows }, leaderless: [] })
  t.equal(Array.isArray(status?.brokers) && status.brokers.length, 2)
  t.same(await valuesOf('kept'), ['0', '1', '2', '3'])
  t.same(await valuesOf('led'), ['0', '1', '2'])
})
