/** `lograft start` as a process: the ready line, signals, and what keeps it from starting. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import { lograft, type Outcome, outcomeOf, start } from './command.ts'

async function folderFor(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lograft-start-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

interface Running {
  readonly child: ChildProcess
  readonly outcome: Promise<Outcome>
  readonly ready: Record<string, unknown>
}

/** Starts a broker and waits for its ready line. */
async function startBroker(
  t: Test,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<Running> {
  const child = start(['start', '--port', '0', '--json', ...words], { env })
  t.teardown(() => child.kill('SIGKILL'))
  const outcome = outcomeOf(child)
  const line = once(child.stdout as NonNullable<typeof child.stdout>, 'data').then(([chunk]) => String(chunk))
  const first = await Promise.race([line, outcome.then(({ stderr }) => Promise.reject(new Error(stderr)))])
  return { child, outcome, ready: JSON.parse(first) as Record<string, unknown> }
}

t.test('one line when it is ready, gone within ten seconds', async (t) => {
  const folder = await folderFor(t)
  const { child, outcome, ready } = await startBroker(t, [
    '--data-dir',
    folder,
    '--node-id',
    '7',
    '--no-http',
  ])
  t.match(ready, {
    event: 'ready',
    nodeId: 7,
    clusterId: String,
    bootstrap: /^127\.0\.0\.1:\d+$/,
    peer: null,
    http: null,
  })
  t.same(Object.keys(ready), ['event', 'nodeId', 'clusterId', 'bootstrap', 'peer', 'http'])

  const client = new Client({ bootstrap: String(ready.bootstrap) })
  const place = await client.producer().send({ topic: 'greetings', value: 'hello' })
  t.match(
    place,
    { topic: 'greetings', partition: 0, offset: 0 },
    'ready means ready, also for a topic that is made now',
  )
  await client.close()

  const asked = performance.now()
  child.kill('SIGTERM')
  const { code, stdout, stderr } = await outcome
  t.equal(code, 0)
  t.ok(performance.now() - asked < 10_000)
  t.equal(stdout, `${JSON.stringify(ready)}\n`, 'and nothing else on stdout')
  for (const line of stderr.split('\n').filter((text) => text !== '')) {
    t.match(
      JSON.parse(line),
      { level: Number, time: Number, event: String, msg: String },
      'logs are JSON on stderr',
    )
  }

  const again = await startBroker(t, ['--data-dir', folder, '--node-id', '7'])
  t.equal(again.ready.clusterId, ready.clusterId, 'the same cluster after a restart')
  const reader = new Client({ bootstrap: String(again.ready.bootstrap) })
  const consumer = reader.consumer({ topics: ['greetings'], from: 'beginning', stopAtEnd: true })
  const values: string[] = []
  for await (const { value } of consumer) values.push(String(value))
  t.same(values, ['hello'])
  await reader.close()
  again.child.kill('SIGINT')
  t.equal((await again.outcome).code, 0, 'SIGINT as well')
})

t.test('SIGUSR2 asks how it fares', async (t) => {
  const folder = await folderFor(t)
  const { child, outcome, ready } = await startBroker(t, ['--data-dir', folder])
  await using client = new Client({ bootstrap: String(ready.bootstrap) })
  await client.producer().send({ topic: 'heavy', value: Buffer.alloc(50_000, 'x') })
  const answer = once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  child.kill('SIGUSR2')
  const figures: unknown = JSON.parse(String((await answer)[0]))
  const delay = { p50Ms: Number, p99Ms: Number, maxMs: Number, ownMaxMs: Number }
  t.match(figures, { event: 'figures', outboundBytes: 0, loop: { recent: delay, sinceStart: delay } })
  const { connections, tailBytes } = figures as { connections: number; tailBytes: number }
  t.ok(connections >= 1, 'the producer is connected')
  t.ok(tailBytes >= 50_000, 'what it sent is read from memory')
  child.kill('SIGTERM')
  t.equal((await outcome).code, 0)
})

t.test('for a person', async (t) => {
  const folder = await folderFor(t)
  const child = start(['start', '--port', '0', '--data-dir', folder])
  t.teardown(() => child.kill('SIGKILL'))
  const outcome = outcomeOf(child)
  const [chunk] = await once(child.stderr as NonNullable<typeof child.stderr>, 'data')
  t.match(
    String(chunk),
    new RegExp(`^lograft \\S+ is ready: Kafka on 127\\.0\\.0\\.1:\\d+, data in ${folder} `),
  )
  child.kill('SIGTERM')
  t.match(await outcome, { code: 0, stdout: '' })
})

t.test('settings from file, environment and flags', async (t) => {
  const folder = await folderFor(t)
  const config = join(folder, 'server.properties')
  const lines = [
    '# as a Kafka user has it',
    'node.id=3',
    `log.dirs=${folder}/here`,
    'advertised.listeners=PLAINTEXT://127.0.0.1:0',
    'num.partitions=2',
    'log.segment.bytes=1000000',
    'log.roll.hours=2',
  ]
  await writeFile(config, lines.join('\n'))
  const environment = { LOGRAFT_NUM_PARTITIONS: '3', LOGRAFT_LOG_SEGMENT_BYTES: '2000000' }
  const { child, outcome, ready } = await startBroker(
    t,
    ['--config', config, '--set', 'num.partitions=4'],
    environment,
  )
  t.equal(ready.nodeId, 3)
  const client = new Client({ bootstrap: String(ready.bootstrap) })
  const configs = await client.admin().describeConfigs({ type: 'broker', name: '3' })
  const inForce = (name: string) => configs.find((row) => row.name === name)?.value
  t.equal(inForce('num.partitions'), '4', 'a flag wins')
  t.equal(inForce('log.segment.bytes'), '2000000', 'over the environment, over the file')
  t.equal(inForce('log.roll.ms'), '7200000')
  await client.close()
  child.kill('SIGTERM')
  t.equal((await outcome).code, 0)
})

t.test('what keeps it from starting is a sentence and exit 1', async (t) => {
  const folder = await folderFor(t)
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const port = String((taken.address() as { port: number }).port)
  const sentence = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lograft(['start', '--json', ...words])
    t.same({ code, stdout }, { code: 1, stdout: '' }, words.join(' '))
    t.notMatch(stderr, /\n {4}at /, 'no stack trace')
    return stderr
  }
  t.match(
    await sentence('--port', port, '--data-dir', join(folder, 'a')),
    `lograft: port ${port} of 127.0.0.1 is in use by another program; choose another with --port`,
  )
  taken.close()
  t.match(
    await sentence('--host', '203.0.113.1', '--data-dir', join(folder, 'b')),
    '--host 203.0.113.1 is no address of this machine',
  )

  await writeFile(join(folder, 'file'), '')
  t.match(
    await sentence('--port', '0', '--data-dir', join(folder, 'file')),
    /--data-dir .*file is not a folder/,
  )

  const data = join(folder, 'data')
  const { child, outcome } = await startBroker(t, ['--data-dir', data])
  t.match(
    await sentence('--port', '0', '--data-dir', data),
    `the data folder ${data} is in use by another broker process`,
  )
  child.kill('SIGTERM')
  await outcome
  t.match(await sentence('--port', '0', '--data-dir', data, '--node-id', '2'), /data folder .* node 1/)
})
