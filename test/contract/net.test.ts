/** What server and peers rely on of a stream of bytes. */
import t, { type Test } from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimNet, type SimNetOptions } from '../../src/embedded/sim-net.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
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
    // It is lent.
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

/** Virtual time that passes by itself, a little with every turn. */
function running(t: Test): VirtualClock {
  const clock = new VirtualClock()
  let isOver = false
  const run = async (): Promise<void> => {
    while (!isOver) await clock.advance(1)
  }
  const ran = run()
  t.teardown(async () => {
    isOver = true
    await ran
  })
  return clock
}

const simulated =
  (seed: number, shape: NonNullable<SimNetOptions['shape']> = {}) =>
  (t: Test): Net =>
    new SimNet({ clock: running(t), random: new SeededRandom(seed), shape }).at(host)

const twins: [string, (t: Test) => Net][] = [
  ['the real net', () => new NodeNet()],
  ['the simulated net', simulated(1)],
  [
    'the simulated net, slow and in small pieces',
    simulated(2, { chunkBytesMax: 3000, windowBytes: 9000, jitterMs: 5 }),
  ],
]

for (const [name, make] of twins) {
  t.test(name, async (t) => {
    const net = make(t)

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

    t.test('bytes lie where the reader wanted them, and come to the rest as ever', async (t) => {
      const { near, far } = await pair(t, net)
      const all = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) & 0xff))
      const whole = Buffer.alloc(all.length)
      const wanted = (at: number): number => (at % 3 === 0 ? 0 : Math.min(1 + (at % 70_000), all.length - at))
      let at = 0
      let expected = 0
      let inPlace = 0
      far.connection.readInto = () => {
        expected = wanted(at)
        return expected === 0 ? null : whole.subarray(at, at + expected)
      }
      const done = new Promise<void>((resolve) => {
        far.connection.onData = (chunk) => {
          const isInPlace = chunk.buffer === whole.buffer && chunk.byteOffset === whole.byteOffset + at
          if (isInPlace !== expected > 0) t.fail(`at ${at}`)
          if (isInPlace) {
            if (chunk.length > expected) t.fail(`at ${at}, too much`)
            inPlace += chunk.length
          } else chunk.copy(whole, at)
          at += chunk.length
          if (at === all.length) resolve()
        }
      })
      for (let sent = 0; sent < all.length; sent += 1000) {
        near.connection.write([all.subarray(sent, sent + 1000)])
        if (sent % 50_000 === 0) {
          far.connection.pause()
          far.connection.resume()
        }
      }
      await done
      t.ok(whole.equals(all))
      t.ok(inPlace > 0)
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
      const farClosed = new Promise<void>((resolve) => {
        far.connection.onClose = () => {
          closes++
          resolve()
        }
      })
      near.connection.destroy()
      near.connection.destroy()
      await near.closed
      await farClosed
      await pair(t, net) // and whatever else was due by then
      t.equal(closes, 1)
    })

    t.test('what is written to a side that is gone ends the connection with a fault', async (t) => {
      const { near, far } = await pair(t, net)
      far.connection.pause()
      near.connection.write([Buffer.alloc(500_000)])
      far.connection.destroy()
      const writing = async (): Promise<void> => {
        for (let isClosed = false; !isClosed; ) {
          near.connection.write([Buffer.alloc(1000)])
          const turn = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))
          isClosed = await Promise.race([near.closed.then(() => true), turn])
        }
      }
      await writing()
      const fault = await near.closed
      t.ok(fault instanceof Faulted)
      t.match(fault?.cause, { code: /ECONNRESET|EPIPE/ })
    })

    t.test('a side that does not read keeps what comes, and sees the end after it', async (t) => {
      const { near, far } = await pair(t, net)
      far.connection.pause()
      near.connection.write([Buffer.from('all of it')])
      near.connection.end()
      await pair(t, net)
      let isClosed = false
      void far.closed.then(() => (isClosed = true))
      await pair(t, net)
      t.notOk(isClosed)
      far.connection.resume()
      t.equal(await far.closed, null)
      t.equal((await far.received(9)).toString(), 'all of it')
      t.equal(await near.closed, null)
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

interface Sim {
  readonly clock: VirtualClock
  readonly net: SimNet
  /** From a to b, and what each end has heard. */
  connect(): Promise<{ near: Heard; far: Heard }>
}

interface Heard {
  readonly connection: Connection
  bytes: Buffer
  close: 'open' | 'ended' | string
}

function hear(connection: Connection): Heard {
  const heard: Heard = { connection, bytes: Buffer.alloc(0), close: 'open' }
  connection.onData = (chunk) => {
    heard.bytes = Buffer.concat([heard.bytes, chunk])
  }
  connection.onClose = (fault) => {
    heard.close = fault === null ? 'ended' : (fault.cause as { code: string }).code
  }
  return heard
}

function sim(seed: number, shape: NonNullable<SimNetOptions['shape']> = {}): Sim {
  const clock = new VirtualClock()
  const net = new SimNet({ clock, random: new SeededRandom(seed), shape })
  const accepted: Heard[] = []
  const connect = async (): Promise<{ near: Heard; far: Heard }> => {
    if (accepted.length === 0)
      await net.at('b').listen({ host: 'b', port: 1 }, (far) => accepted.push(hear(far)))
    const connecting = net.at('a').connect({ host: 'b', port: 1, timeoutMs: 100 }).then(hear)
    await clock.advance(10)
    return { near: await connecting, far: accepted.at(-1) as Heard }
  }
  return { clock, net, connect }
}

const text = (heard: Heard): string => heard.bytes.toString()

t.test(
  'the simulated net: a cut holds what is sent until it is healed, in that direction alone',
  async (t) => {
    const { clock, net, connect } = sim(1)
    const { near, far } = await connect()
    net.cut('a', 'b')
    near.connection.write([Buffer.from('late')])
    far.connection.write([Buffer.from('in time')])
    await clock.advance(1000)
    t.equal(text(near), 'in time')
    t.equal(text(far), '')
    t.equal(far.close, 'open', 'nobody is told')
    near.connection.end()
    net.heal('a', 'b')
    await clock.advance(10)
    t.equal(text(far), 'late')
    t.equal(far.close, 'ended')
  },
)

t.test('the simulated net: what nobody can confirm fills the window, and no more', async (t) => {
  const { clock, net, connect } = sim(2, { windowBytes: 1000 })
  const { near, far } = await connect()
  net.cut('b', 'a') // what a sends arrives, the news of it does not
  near.connection.write([Buffer.alloc(5000)])
  await clock.advance(1000)
  t.equal(far.bytes.length, 1000)
  t.equal(near.connection.pendingBytes, 4000)
  net.heal('b', 'a')
  await clock.advance(100)
  t.equal(far.bytes.length, 5000)
})

t.test('the simulated net: through a cut nobody connects, and a clog ends by itself', async (t) => {
  const { clock, net, connect } = sim(3)
  await connect()
  net.isolate('a')
  const refused = net
    .at('a')
    .connect({ host: 'b', port: 1, timeoutMs: 100 })
    .then(
      () => 'connected',
      (error: Faulted) => (error.cause as { code: string }).code,
    )
  await clock.advance(200)
  t.equal(await refused, 'ETIMEDOUT')
  net.healAll()
  await clock.advance(10)
  t.equal(net.connections, 2, 'an attempt that was given up leaves nothing')
  net.clog('a', 'b', 50)
  const late = net.at('a').connect({ host: 'b', port: 1, timeoutMs: 100 })
  const start = clock.monotonic()
  await clock.advance(60)
  await late
  t.ok(clock.monotonic() - start >= 50)
})

t.test('the simulated net: a reset may lose the end of what was sent, never its middle', async (t) => {
  const lengths = new Set<number>()
  for (let seed = 1; seed <= 60; seed++) {
    const { clock, net, connect } = sim(seed, { chunkBytesMax: 100, delayMs: 1, jitterMs: 3 })
    const { near, far } = await connect()
    const all = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251))
    near.connection.write([all])
    await clock.advance(seed % 5)
    net.reset('a', 'b')
    await clock.advance(100)
    t.ok(all.subarray(0, far.bytes.length).equals(far.bytes), `seed ${seed}`)
    t.equal(near.close, 'ECONNRESET')
    t.equal(far.close, 'ECONNRESET')
    t.equal(net.connections, 0)
    lengths.add(far.bytes.length)
  }
  t.ok(lengths.size > 20, `${lengths.size} different ends`)
})

t.test('the simulated net: who vanishes says nothing; who comes back knows nothing', async (t) => {
  const { clock, net, connect } = sim(5)
  const { near, far } = await connect()
  net.vanish('b')
  near.connection.write([Buffer.from('anybody?')])
  await clock.advance(10_000)
  t.equal(near.close, 'open', 'half-open')
  net.comeBack('b')
  near.connection.write([Buffer.from('again')])
  await clock.advance(10)
  t.equal(near.close, 'ECONNRESET')
  t.equal(far.close, 'open', 'the dead hear nothing')
  t.equal(text(far), '')
})

t.test('the simulated net: a killed process leaves its ports and connections', async (t) => {
  const { clock, net, connect } = sim(6)
  const { near } = await connect()
  const dead = net.at('b')
  net.kill('b')
  let isSettled = false
  void dead.connect({ host: 'a', port: 1, timeoutMs: 10 }).finally(() => (isSettled = true))
  await clock.advance(100)
  t.equal(near.close, 'ECONNRESET')
  t.notOk(isSettled, 'the dead learn nothing any more')
  await net.at('b').listen({ host: 'b', port: 1 }, () => {})
})

t.test('the simulated net: a narrow path is shared, and the same seed gives the same run', async (t) => {
  const run = async (seed: number): Promise<string> => {
    const { clock, connect } = sim(seed, { bytesPerMs: 100, windowBytes: 5000 })
    const { near, far } = await connect()
    const other = await connect()
    near.connection.write([Buffer.alloc(20_000)])
    other.near.connection.write([Buffer.from('small')])
    const trace: string[] = []
    far.connection.onData = (chunk) => trace.push(`${clock.monotonic()} ${chunk.length}`)
    other.far.connection.onData = () => trace.push(`${clock.monotonic()} small`)
    await clock.advance(1000)
    const small = trace.findIndex((line) => line.endsWith('small'))
    t.ok(small >= 0 && small < trace.length - 1, 'the window leaves room for others')
    t.ok(Number.parseFloat(trace.at(-1) ?? '') >= 200, 'so much takes its time')
    return trace.join('\n')
  }
  t.equal(await run(7), await run(7))
  t.not(await run(7), await run(8))
})
