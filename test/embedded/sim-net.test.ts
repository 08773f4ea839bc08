/** What only a simulated net can do: processes that stand still, links that are cut, connections that break by chance. */
import t, { type Test } from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimNet } from '../../src/embedded/sim-net.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import type { Connection } from '../../src/io/world.ts'

/** Two machines and a connection between them; what the far end heard is in `heard`. */
async function pair(shape = {}): Promise<{
  clock: VirtualClock
  net: SimNet
  near: Connection
  heard: string[]
}> {
  const clock = new VirtualClock()
  const net = new SimNet({ clock, random: new SeededRandom(1), shape })
  const heard: string[] = []
  await net.at('far').listen({ host: 'far', port: 1 }, (connection) => {
    heard.push('connected')
    connection.onData = (chunk) => heard.push(chunk.toString())
    connection.onClose = () => heard.push('closed')
  })
  const connecting = net.at('near').connect({ host: 'far', port: 1, timeoutMs: 100 })
  await clock.advance(10)
  return { clock, net, near: await connecting, heard }
}

const whole = { splitChance: 0 }

t.test('a process that stands still hears everything when it goes on, in order', async (t) => {
  const { clock, net, near, heard } = await pair(whole)
  net.pause('far')
  near.write([Buffer.from('one')])
  await clock.advance(10)
  near.write([Buffer.from('two')])
  near.end()
  await clock.advance(1000)
  t.same(heard, ['connected'])
  net.resume('far')
  await clock.advance(10)
  t.same(heard, ['connected', 'one', 'two', 'closed'])
})

t.test('the system takes connections for a process that stands still', async (t: Test) => {
  const { clock, net, heard } = await pair(whole)
  net.pause('far')
  const connecting = net.at('other').connect({ host: 'far', port: 1, timeoutMs: 100 })
  await clock.advance(10)
  ;(await connecting).write([Buffer.from('hello')])
  await clock.advance(500)
  t.same(heard, ['connected'])
  net.resume('far')
  await clock.advance(1)
  t.same(heard, ['connected', 'connected', 'hello'])
})

t.test('who awaited a connection can listen to it before its end is told', async (t) => {
  const { clock, net } = await pair(whole)
  const connecting = net.at('other').connect({ host: 'far', port: 1, timeoutMs: 100 })
  let heard: string | undefined
  void connecting.then((connection) => {
    connection.onClose = (fault) => {
      heard = fault?.message
    }
  })
  net.pause('other')
  await clock.advance(10)
  net.kill('far')
  await clock.advance(10)
  net.resume('other')
  await clock.advance(1)
  t.match(heard, /ECONNRESET/)
})

t.test('who is killed while it stands still hears nothing any more', async (t) => {
  const { clock, net, near, heard } = await pair(whole)
  let fault: unknown = 'none'
  near.onClose = (error) => {
    fault = error
  }
  net.pause('far')
  near.write([Buffer.from('lost')])
  await clock.advance(10)
  net.kill('far')
  await clock.advance(10)
  net.resume('far')
  await clock.advance(10)
  t.same(heard, ['connected'])
  t.match(fault, /ECONNRESET/)
})

t.test('a reader that stands still fills the window, and the writer waits', async (t) => {
  const { clock, net, near, heard } = await pair({ ...whole, windowBytes: 1000 })
  net.pause('far')
  near.write([Buffer.alloc(5000, 'x')])
  await clock.advance(100)
  t.ok(near.pendingBytes >= 4000, `${near.pendingBytes} bytes wait`)
  net.resume('far')
  await clock.advance(100)
  t.equal(near.pendingBytes, 0)
  t.equal(heard.join('').length, 'connected'.length + 5000)
})

t.test('connections break by chance, with both their ends', async (t) => {
  const { clock, net, near, heard } = await pair(whole)
  let isClosed = false
  near.onClose = () => {
    isClosed = true
  }
  net.resetSome(0)
  await clock.advance(10)
  t.notOk(isClosed)
  net.resetSome(1)
  await clock.advance(10)
  t.ok(isClosed)
  t.equal(heard.at(-1), 'closed')
  t.equal(net.connections, 0)
})
