/** How answers are handed to a socket: all at once to who takes them at once, in small pieces to who does not. */
import t from 'tap'
import type { Connection } from '../../src/io/world.ts'
import { Outbound, OutboundMemory } from '../../src/server/outbound.ts'

const answerBytes = 8 * 1024 * 1024

/** Takes what it is given when it is told to. */
class Socket implements Pick<Connection, 'write' | 'pendingBytes'> {
  readonly pieces: number[] = []
  readonly received: Buffer[] = []
  pendingBytes = 0

  write(buffers: readonly Buffer[]): boolean {
    this.received.push(...buffers)
    this.pendingBytes = buffers.reduce((sum, { length }) => sum + length, 0)
    this.pieces.push(this.pendingBytes)
    return false
  }
}

function sendTo(delaysMs: (n: number) => number): Socket {
  const socket = new Socket()
  const memory = new OutboundMemory(answerBytes)
  const outbound = new Outbound(socket as unknown as Connection, memory)
  const answer = Buffer.alloc(answerBytes)
  for (let at = 0; at < answerBytes; at += 4) answer.writeUInt32BE(at, at)
  let nowMs = 1000
  outbound.send([answer.subarray(0, 3_000_000), answer.subarray(3_000_000)], [], nowMs)
  for (let n = 0; socket.pendingBytes > 0; n++) {
    nowMs += delaysMs(n)
    socket.pendingBytes = 0
    outbound.drained(nowMs)
  }
  if (!Buffer.concat(socket.received).equals(answer)) throw new Error('it was not sent as it was given')
  if (memory.used !== 0) throw new Error('it is counted when it has left')
  return socket
}

t.test('who takes what it is given at once is given more', async (t) => {
  const { pieces } = sendTo(() => 5)
  t.ok((pieces[0] ?? 0) <= 256 * 1024, 'not before it has shown that')
  t.ok(pieces.length < 10, `${pieces.length} pieces for 8 MiB`)
  t.ok(Math.max(...pieces) <= 2 * 1024 * 1024)
})

t.test('who is slow gets small pieces: between two of them it is seen that it takes anything', async (t) => {
  t.ok(Math.max(...sendTo(() => 1000).pieces) <= 256 * 1024)
  const { pieces } = sendTo((n) => (n < 4 ? 5 : 1000))
  t.ok(Math.max(...pieces.slice(5)) <= 256 * 1024, 'as soon as it has become slow')
})
