/** What a slow reader has not taken from a socket yet is not used again: answers to clients, frames to peers. */
import t, { type Test } from 'tap'
import { NodeClock } from '../../src/io/node-clock.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import type { Connection } from '../../src/io/world.ts'
import { Channel } from '../../src/peers/channel.ts'
import { Outbound, OutboundMemory } from '../../src/server/outbound.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'

const host = '127.0.0.1'
const pieces = 40
const pieceBytes = 300_000
const clock = new NodeClock()

async function pair(t: Test): Promise<{ near: Connection; far: Connection }> {
  const net = new NodeNet()
  let onFar = (_far: Connection): void => {}
  const accepted = new Promise<Connection>((resolve) => (onFar = resolve))
  const listener = await net.listen({ host, port: 0 }, (far) => onFar(far))
  const near = await net.connect({ host, port: listener.port, timeoutMs: 5000 })
  const far = await accepted
  t.teardown(async () => {
    near.destroy()
    far.destroy()
    await listener.close()
  })
  return { near, far }
}

/** Whether all that comes is as it was sent. */
function arriveAsSent(far: Connection): Promise<boolean> {
  let at = 0
  let isAsSent = true
  return new Promise((resolve) => {
    far.onData = (chunk) => {
      for (const byte of chunk) isAsSent &&= byte === 1 + Math.floor(at++ / pieceBytes)
      if (!isAsSent || at === pieces * pieceBytes) resolve(isAsSent)
    }
    far.resume()
  })
}

/** More than a socket takes at once; what is given back on the way is used again. */
function* numbered(buffers: PoisonedBuffers): Generator<Buffer> {
  for (let piece = 1; piece <= pieces; piece++) yield buffers.take(pieceBytes).fill(piece)
}

t.test('answers', async (t) => {
  const { near, far } = await pair(t)
  far.pause()
  const buffers = new PoisonedBuffers()
  const outbound = new Outbound(near, new OutboundMemory(2 ** 30))
  near.onDrain = () => outbound.drained(clock.monotonic())
  for (const piece of numbered(buffers)) outbound.send([piece], [piece], clock.monotonic())
  t.ok(outbound.waitingBytes > 0, 'the reader is behind')
  t.ok(await arriveAsSent(far))
  t.ok(buffers.freeBytes > 0, 'what was taken is used again')
})

t.test('frames', async (t) => {
  const { near, far } = await pair(t)
  far.pause()
  const buffers = new PoisonedBuffers()
  const channel = new Channel(near, { clock, queueBytesMax: 2 ** 30, onFrame: () => {}, onGone: () => {} })
  for (const piece of numbered(buffers))
    channel.send({ pieces: [piece], bytes: pieceBytes, payload: [piece] })
  t.ok(channel.waitingBytes > 0, 'the reader is behind')
  t.ok(await arriveAsSent(far))
  t.ok(buffers.freeBytes > 0, 'what was taken is used again')
})
