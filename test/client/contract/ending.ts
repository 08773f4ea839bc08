/** After `close` nothing is left: a process ends by itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { environment, withoutLoader } from '../../wire/broker.ts'
import type { Stage } from './stage.ts'

export async function ending(t: Test, { address, newTopic }: Stage): Promise<void> {
  const topic = await newTopic()
  const script = `
    import { Client } from ${JSON.stringify(new URL('../../../client/client.js', import.meta.url).href)}
    process.on('unhandledRejection', (error) => { console.error('unhandled', error); process.exit(3) })
    const client = new Client({ bootstrap: '${address}' })
    const producer = client.producer({ lingerMs: 5, compression: 'gzip' })
    await producer.send({ topic: '${topic}', value: 'x'.repeat(200_000) })
    for await (const record of client.consumer({ topics: ['${topic}'], groupId: '${topic}', from: 'beginning' })) break
    const waiting = client.consumer({ topics: ['${topic}'] })[Symbol.asyncIterator]().next()
    producer.send({ topic: '${topic}', value: 'y'.repeat(200_000) }).catch(() => {})
    await client.close()
    await waiting
    console.log('closed')
  `
  const [program, args] = withoutLoader(process.execPath, '--input-type=module', '--eval', script)
  const child = spawn(program, args, {
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  t.teardown(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  let closedAt = -Infinity
  child.stdout.once('data', () => {
    closedAt = performance.now()
  })
  const [code] = await once(child, 'close')
  t.same([code, errors], [0, ''])
  const tookMs = performance.now() - closedAt
  t.ok(tookMs < 1_000, `it took ${tookMs} ms`)
}
