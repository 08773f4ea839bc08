/** The commands against a real broker: this build, or any Kafka that LOGRAFT_TEST_BOOTSTRAP names. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { bootstrap } from '../wire/broker.ts'
import { jsonLines, lograft, type Outcome, outcomeOf, start } from './command.ts'

const address = await bootstrap(t)
const newName = (what: string): string => `${what}-${randomUUID()}`

/** Runs a command against the broker; its exit code must be 0. */
async function run(...words: string[]): Promise<Outcome> {
  return runWith('', ...words)
}
async function runWith(stdin: string | Buffer, ...words: string[]): Promise<Outcome> {
  const outcome = await lograft([...words, '--bootstrap', address], { stdin })
  if (outcome.code !== 0)
    throw new Error(`lograft ${words.join(' ')}: exit ${outcome.code}: ${outcome.stderr}`)
  return outcome
}

t.test('topic', async (t) => {
  const topic = newName('topic')
  const created = await run(
    'topic',
    'create',
    topic,
    '--partitions',
    '3',
    '--config',
    'retention.ms=86400000',
    '--json',
  )
  const [row] = jsonLines(created)
  t.match(row, {
    topic,
    topicId: /^[0-9a-f-]{36}$/,
    internal: false,
    partitions: 3,
    replicationFactor: 1,
    created: true,
  })
  t.same(Object.keys(row ?? {}), [
    'topic',
    'topicId',
    'internal',
    'partitions',
    'replicationFactor',
    'created',
  ])

  const again = await lograft(['topic', 'create', topic, '--bootstrap', address])
  t.equal(again.code, 1)
  t.match(again.stderr, /TOPIC_ALREADY_EXISTS/)
  t.match(
    (await run('topic', 'create', topic, '--if-not-exists')).stdout,
    `topic ${topic} is there already: 3 partitions`,
  )

  t.ok(
    jsonLines(await run('topic', 'list', '--json')).some(
      (line) => line.topic === topic && line.partitions === 3,
    ),
  )
  t.match(
    (await run('topic', 'list')).stdout,
    new RegExp(`^TOPIC +PARTITIONS +REPLICAS\\n[\\s\\S]*${topic} +3 +1\\n`),
  )

  t.equal(
    (await run('topic', 'alter', topic, '--partitions', '4', '--config', 'segment.bytes=1048576')).stdout,
    `topic ${topic} altered\n`,
  )
  await run('topic', 'alter', topic, '--delete-config', 'retention.ms')
  const [description] = jsonLines(await run('topic', 'describe', topic, '--json'))
  t.match(description, {
    topic,
    partitions: 4,
    configs: { 'segment.bytes': '1048576' },
    details: [0, 1, 2, 3].map((partition) => ({
      partition,
      leader: Number,
      leaderEpoch: Number,
      replicas: [Number],
      inSync: [Number],
      start: 0,
      end: 0,
    })),
  })
  t.notMatch(description?.configs, { 'retention.ms': String })
  t.match(
    (await run('topic', 'describe', topic)).stdout,
    /segment\.bytes=1048576\n +PARTITION +LEADER +EPOCH +REPLICAS +IN SYNC +START +END\n/,
  )

  t.same(jsonLines(await run('topic', 'delete', topic, '--json')), [{ topic, deleted: true }])
  const gone = await lograft(['topic', 'describe', topic, '--bootstrap', address])
  t.equal(gone.code, 1)
  t.match(gone.stderr, `lograft: topic ${topic}: `)
})

t.test('produce | consume', async (t) => {
  const topic = newName('lines')
  await run('topic', 'create', topic, '--partitions', '2')
  const lines = Array.from({ length: 2_000 }, (_, i) => `key-${i % 7}:value ${i} äöü`)
  const folder = await mkdtemp(join(tmpdir(), 'lograft-cli-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'lines.txt')
  await writeFile(file, lines.join('\n')) // the last line has no end
  const [sent] = jsonLines(
    await run(
      'produce',
      topic,
      '--key-separator',
      ':',
      '--file',
      file,
      '--compression',
      'zstd',
      '--header',
      'from=file',
      '--json',
    ),
  )
  t.match(sent, {
    topic,
    records: 2_000,
    failed: 0,
    partitions: [
      { partition: 0, firstOffset: 0 },
      { partition: 1, firstOffset: 0 },
    ],
  })

  const read = await run('consume', topic, '--exit-at-end', '--format', '%k:%v\\n')
  t.same(read.stdout.split('\n').slice(0, -1).sort(), [...lines].sort())
  const [first] = jsonLines(await run('consume', topic, '--count', '1', '--partition', '1', '--json'))
  t.match(first, {
    topic,
    partition: 1,
    offset: 0,
    timestamp: Number,
    key: /^key-/,
    value: /^value /,
    headers: [{ name: 'from', value: 'file' }],
  })
  const placed = await run(
    'consume',
    topic,
    '--partition',
    '0',
    '--from',
    '2',
    '--count',
    '2',
    '--format',
    '%t %p %o %K %S %h%%\\x21\\n',
  )
  t.match(placed.stdout, new RegExp(`^${topic} 0 2 5 \\d+ from=file%!\\n${topic} 0 3 5 \\d+ from=file%!\\n$`))
  const { timestamp } = first as { timestamp: number }
  for (const from of [`@${timestamp + 86_400_000}`, new Date(timestamp + 86_400_000).toISOString(), 'end']) {
    t.equal((await run('consume', topic, '--from', from, '--exit-at-end')).stdout, '', from)
  }
})

t.test('bytes that are no text', async (t) => {
  const topic = newName('bytes')
  await run('topic', 'create', topic)
  const bytes = Buffer.from([0, 1, 0xff, 0xfe, 0x0d, 0x0a, 0xc3, 0x28, 0x0a, 0x0a])
  await runWith(bytes, 'produce', topic)
  const child = start(['consume', topic, '--exit-at-end', '--bootstrap', address])
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(child, 'close')
  t.same(Buffer.concat(chunks), bytes, 'come back as they were')
  const rows = jsonLines(await run('consume', topic, '--exit-at-end', '--json'))
  t.match(rows, [{ valueBase64: 'AAH//g0=', key: null }, { valueBase64: 'wyg=' }, { value: '' }])
})

t.test('groups', async (t) => {
  const topic = newName('topic')
  const group = newName('group')
  await run('topic', 'create', topic)
  await runWith('1\n2\n3\n4\n5\n6\n7\n', 'produce', topic)
  t.equal((await run('consume', topic, '--group', group, '--count', '3')).stdout, '1\n2\n3\n')
  t.equal(
    (await run('consume', topic, '--group', group, '--count', '2')).stdout,
    '4\n5\n',
    'goes on where it stopped',
  )
  t.match(jsonLines(await run('group', 'describe', group, '--json')), [
    {
      group,
      state: 'Empty',
      members: [],
      partitions: [{ topic, partition: 0, committed: 5, end: 7, lag: 2, memberId: null }],
    },
  ])
  t.match((await run('group', 'describe', group)).stdout, new RegExp(`${topic} +0 +5 +7 +2 +- +-\\n`))
  t.ok(
    jsonLines(await run('group', 'list', '--json')).some(
      (row) => row.group === group && row.state === 'Empty',
    ),
  )

  const plan = await run('group', 'reset-offsets', group, '--to', '1', '--dry-run', '--json')
  t.same(jsonLines(plan), [{ group, topic, partition: 0, from: 5, to: 1, dryRun: true }])
  t.equal(
    (await run('consume', topic, '--group', group, '--exit-at-end')).stdout,
    '6\n7\n',
    'which changed nothing',
  )
  await run('group', 'reset-offsets', group, '--to', 'beginning', '--topic', topic)
  t.equal((await run('consume', topic, '--group', group, '--count', '1')).stdout, '1\n')

  t.same(jsonLines(await run('group', 'delete', group, '--json')), [{ group, deleted: true }])
  const gone = await lograft(['group', 'describe', group, '--bootstrap', address])
  t.equal(gone.code, 1)
  t.match(gone.stderr, `lograft: group ${group}: `)
})

t.test('cluster status', async (t) => {
  const [status] = jsonLines(await run('cluster', 'status', '--json'))
  t.match(status, {
    clusterId: String,
    controllerId: Number,
    brokers: [{ nodeId: Number, host: String, port: Number, leads: Number, hosts: Number }],
    topics: Number,
    partitions: Number,
    leaderless: [],
    underReplicated: [],
    reassignments: [],
  })
  t.match(
    (await run('cluster', 'status')).stdout,
    /all led, all in sync\n\nBROKER +ADDRESS +RACK +LEADS +PREFERRED +HOSTS +BEHIND\n/,
  )
})

t.test('ends well', async (t) => {
  const topic = newName('topic')
  await run('topic', 'create', topic)
  await runWith('a\nb\n'.repeat(50_000), 'produce', topic)

  await t.test('when its reader goes', async (t) => {
    const child = start(['consume', topic, '--bootstrap', address])
    const ended = once(child, 'exit')
    const errors: Buffer[] = []
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
    child.stdout?.once('data', () => child.stdout?.destroy())
    t.same(await ended, [0, null])
    t.equal(Buffer.concat(errors).toString(), '')
  })

  await t.test('when it is interrupted', async (t) => {
    const group = newName('group')
    const child = start(['consume', topic, '--group', group, '--bootstrap', address])
    const outcome = outcomeOf(child)
    let lines = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      lines += chunk.toString().split('\n').length - 1
      if (lines === 100_000) child.kill('SIGINT')
    })
    t.match(await outcome, { code: 0, stderr: '' })
    const [described] = jsonLines(await run('group', 'describe', group, '--json'))
    t.match(
      described,
      { state: 'Empty', partitions: [{ committed: 100_000 }] },
      'it left, and committed what it had printed',
    )
  })

  await t.test('when a record is refused', async (t) => {
    const outcome = await lograft(['produce', topic, '--bootstrap', address], {
      stdin: `ok\n${'x'.repeat(2_000_000)}\n`,
    })
    t.equal(outcome.code, 1)
    t.match(
      outcome.stderr,
      /lograft: 1 of 2 records were not stored: a record of 2000\d+ bytes .* is over the limit/,
    )
  })
})
