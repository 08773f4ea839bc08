/** What server and peers rely on of a stream of bytes. */
import t, { type Test } from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import type { Connection, Listener, Net } from '../../src/io/world.ts'

const host = '127.0.0.1'

interface End {
  readonly connection: Connection
  readonly closed: Promise<Faulted | null>
  /** Resolves when so many bytes have come. */
  received(bytes: number): Promise<Buffer>
}

function watch(connection: Connection): End {
  let bytes = Buffer.alloc(0)
  let wake = (): void => {}
  connection.onData = (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
    wake()
  }
  const closed = new Promise<Faulted | null>((resolve) => {
    connection.onClose = resolve
  })
  return {
    connection,
    closed,
    received: async (count) => {
      while (bytes.length < count) await new Promise<void>((resolve) => (wake = resolve))
      return bytes
    },
  }
}

async function pair(t: Test, net: Net): Promise<{ near: End; far: End; listener: Listener }> {
  let onFar = (_far: End): void => {}
  const accepted = new Promise<End>((resolve) => (onFar = resolve))
  const listener = await net.listen({ host, port: 0 }, (connection) => onFar(watch(connection)))
  const near = watch(await net.connect({ host, port: listener.port, timeoutMs: 5000 }))
  const far = await accepted
  t.teardown(async () => {
    near.connection.destroy()
    far.connection.destroy()
    await listener.close()
  })
  return { near, far, listener }
}

const twins: [string, () => Net][] = [['the real net', () => new NodeNet()]]

for (const [name, make] of twins) {
  t.test(name, async (t) => {
    const net = make()

    t.test('bytes arrive in order, whatever the pieces', async (t) => {
      const { near, far } = await pair(t, net)
      const pieces = Array.from({ length: 3000 }, (_, i) => Buffer.alloc(i % 700, i & 0xff))
      for (let i = 0; i < pieces.length; i += 100) near.connection.write(pieces.slice(i, i + 100))
      const all = Buffer.concat(pieces)
      t.ok((await far.received(all.length)).equals(all))
      far.connection.write([Buffer.from('answer')])
      t.equal((await near.received(6)).toString(), 'answer')
      t.match(near.connection.remote, /^127\.0\.0\.1:\d+$/)
    })

    t.test('back-pressure: write says stop, onDrain says go on', async (t) => {
      const { near, far } = await pair(t, net)
      far.connection.pause()
      const piece = Buffer.alloc(1 << 20, 1)
      let sent = 0
      while (near.connection.write([piece])) sent++
      sent++
      t.ok(near.connection.pendingBytes > 0)
      const drained = new Promise<void>((resolve) => (near.connection.onDrain = resolve))
      far.connection.resume()
      await drained
      t.equal(near.connection.pendingBytes, 0)
      t.equal((await far.received(sent * piece.length)).length, sent * piece.length)
    })

    t.test('an end is clean: what was queued is sent first', async (t) => {
      const { near, far } = await pair(t, net)
      near.connection.write([Buffer.alloc(300_000, 5)])
      near.connection.end()
      t.equal(await far.closed, null)
      t.equal((await far.received(300_000)).length, 300_000)
      t.equal(await near.closed, null)
      t.equal(near.connection.write([Buffer.from('too late')]), false, 'writing afterwards does no harm')
    })

    t.test('destroy drops the connection on both sides, once', async (t) => {
      const { near, far } = await pair(t, net)
      let closes = 0
      far.connection.onClose = () => closes++
      near.connection.destroy()
      near.connection.destroy()
      await near.closed
      await new Promise((resolve) => setTimeout(resolve, 20))
      t.equal(closes, 1)
    })

    t.test('nobody listens, or the port is taken', async (t) => {
      const first = await net.listen({ host, port: 0 }, () => {})
      const taken = net.listen({ host, port: first.port }, () => {})
      await t.rejects(taken, Faulted)
      t.equal(((await taken.catch((error: Faulted) => error.cause)) as { code: string }).code, 'EADDRINUSE')
      await first.close()
      const refused = net.connect({ host, port: first.port, timeoutMs: 5000 })
      await t.rejects(refused, Faulted)
      t.equal(
        ((await refused.catch((error: Faulted) => error.cause)) as { code: string }).code,
        'ECONNREFUSED',
      )
    })

    t.test('a listener that is closed leaves open connections alone', async (t) => {
      const { near, far, listener } = await pair(t, net)
      await listener.close()
      near.connection.write([Buffer.from('still')])
      t.equal((await far.received(5)).toString(), 'still')
    })
  })
}
