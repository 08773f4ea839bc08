/** Stopping: nobody is left hanging, nothing acknowledged is lost; and what two processes do to each other. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { errorName } from '../../src/base/error-codes.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import { CreateTopics } from '../../src/protocol/apis/create-topics.ts'
import { JoinGroup } from '../../src/protocol/apis/join-group.ts'
import { OffsetCommit } from '../../src/protocol/apis/offset-commit.ts'
import { Client, frameOf } from '../server/fixture.ts'
import { Broker, environment, startBroker, withoutLoader } from '../wire/broker.ts'
import { Node, NodeClient } from './node.ts'

const protocols = [{ name: 'range', metadata: Buffer.from([0, 0, 0, 0, 0, 0, 255, 255, 255, 255]) }]
const membership = {
  groupId: 'billing',
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 300_000,
  memberId: '',
  groupInstanceId: null,
  protocolType: 'consumer',
  protocols,
}

t.test('a stop answers who waits for others, and waits for nobody', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders')
  await node.commit('billing', 'orders', 1)
  const [reader, first, second] = [await node.connect(), await node.connect(), await node.connect()]
  const parked = reader.fetch('orders', { maxWaitMs: 3_600_000 })
  const { memberId } = await node.inTime(first.ask(JoinGroup, membership, 3))
  // The second waits until the first comes back, which it will not.
  const joining = second.ask(JoinGroup, membership, 3)
  const committing = (await node.client).ask(OffsetCommit, {
    groupId: 'others',
    memberId: '',
    groupInstanceId: null,
    topics: [
      { name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: 9, committedMetadata: null }] },
    ],
  })
  const half = await node.connect()
  half.frames.write(frameOf(CreateTopics, 7, { topics: [], timeoutMs: 1 }).subarray(0, 9))
  await new Promise((resolve) => setImmediate(resolve))
  t.not(memberId, '')

  // Time stands still: whatever needed a time-out would hang here.
  await node.stop()
  t.match(await parked, { values: [] }, 'the fetch got what there was')
  t.equal(errorName((await joining).errorCode), 'NOT_COORDINATOR', 'the member looks for its coordinator')
  t.match((await committing).topics[0]?.partitions, [{ errorCode: 0 }], 'what was decided is committed')
  await Promise.all([reader, first, second, half].map(({ frames }) => frames.closed))
  await node.start()
  t.equal(await node.committed('others', 'orders'), 9)
})

t.test('a client that reads nothing holds a stop up for its grace period, not longer', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders')
  await node.produce('orders', ['x'.repeat(500_000)])
  const stuck = await node.connect()
  stuck.frames.pause()
  for (let i = 0; i < 5; i++) void stuck.fetch('orders').catch(() => {})
  await node.clock.advance(1)
  let isStopped = false
  const stopped = node.stop().then(() => {
    isStopped = true
  })
  await node.clock.advance(7999)
  t.equal(isStopped, false)
  await node.clock.advance(1)
  await stopped
})

t.test('stop twice, and after the start of a stop', async (t) => {
  const node = await Node.start(t)
  const broker = node.broker
  const client = await node.connect()
  await Promise.all([broker.stop(), broker.stop()])
  await broker.stop()
  await client.frames.closed
  await t.rejects(node.connect(), 'nobody listens')
})

t.test('a start that fails lets go of everything', async (t) => {
  const node = await Node.start(t)
  await node.createTopic('orders', 20)
  await node.stop()
  node.isPortTaken = true
  await t.rejects(node.start(), { name: 'Faulted', door: 'net' })
  node.isPortTaken = false
  await node.start()
  t.equal(await node.produce('orders', ['x'], { partition: 19 }), 0)
})

t.test('SIGTERM under load: exit 0, in time, and all that was acknowledged is there', async (t) => {
  const broker = await startBroker(t, { 'num.partitions': 4 })
  const clients = await Promise.all([connect(broker), connect(broker), connect(broker)])
  await clients[0]?.createTopic('orders', 4)
  const acknowledged = new Map<string, number>()
  let isOver = false
  const load = clients.map(async (client, id) => {
    for (let n = 0; !isOver; n++) {
      const values = Array.from({ length: 20 }, (_, i) => `${id}-${n}-${i}`)
      const answers = values.map((value) => client.produce('orders', [value], { partition: n % 4 }))
      for (const [i, answer] of (await Promise.allSettled(answers)).entries()) {
        if (answer.status === 'rejected') isOver = true
        else if (typeof answer.value === 'number') acknowledged.set(values[i] ?? '', n % 4)
      }
    }
  })
  while (acknowledged.size < 2000) await new Promise((resolve) => setTimeout(resolve, 10))
  const from = Date.now()
  t.equal(await broker.stop(), 0)
  t.ok(Date.now() - from < 10_000, `${Date.now() - from} ms`)
  await Promise.all(load)
  await broker.start()
  t.notMatch(broker.stderr, /recovered/, 'nothing had to be checked')
  const again = await connect(broker)
  const found: string[] = []
  for (let partition = 0; partition < 4; partition++) {
    for (let offset = 0; ; ) {
      const row = await again.fetch('orders', { partition, offset })
      if (typeof row === 'string') throw new Error(row)
      found.push(...row.values)
      offset = row.nextOffset
      if (offset >= row.highWatermark) break
    }
  }
  const once = new Set(found)
  t.equal(once.size, found.length)
  t.strictSame(
    [...acknowledged.keys()].filter((value) => !once.has(value)),
    [],
  )
  again.frames.end()
})

t.test('a second process on the same folder or port is refused with a sentence', async (t) => {
  const broker = await startBroker(t)
  const port = broker.bootstrap.split(':')[1] ?? ''
  const same = await failedStart(t, ['--data-dir', broker.dataDir, '--port', '0'])
  t.equal(same.code, 1)
  t.match(same.stderr, /is in use by another broker process: stop that one, or choose another/)
  const other = mkdtempSync(join(tmpdir(), 'lograft-other-'))
  t.teardown(() => rmSync(other, { recursive: true, force: true }))
  const taken = await failedStart(t, ['--data-dir', other, '--port', port])
  t.equal(taken.code, 1)
  t.match(taken.stderr, /port \d+ of 127.0.0.1 is in use by another program/)

  const client = await connect(broker)
  t.match(await client.createTopic('orders'), /-/, 'the first is not disturbed')
  client.frames.end()
  await broker.kill()
  const heir = new Broker(broker.dataDir, {})
  await heir.start()
  t.equal(await heir.stop(), 0, 'the lock died with its process')
})

async function connect(broker: Broker): Promise<NodeClient> {
  const [host = '', port] = broker.bootstrap.split(':')
  return new NodeClient(
    new Client(await new NodeNet().connect({ host, port: Number(port), timeoutMs: 5000 })),
  )
}

async function failedStart(t: Test, args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const lograft = new URL('../../src/cli/lograft.js', import.meta.url).pathname
  const [program, programArgs] = withoutLoader(
    process.execPath,
    lograft,
    'start',
    '--json',
    '--no-http',
    ...args,
  )
  const child = spawn(program, programArgs, { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, stderr }
}
