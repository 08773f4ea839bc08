/** Messages as bytes: what leaves is what arrives, and nothing damaged does. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { noBuffers } from '../../src/base/buffer-pool.ts'
import { Reader } from '../../src/base/bytes.ts'
import { Faulted } from '../../src/base/errors.ts'
import { FrameCutter } from '../../src/peers/frames.ts'
import { MessageDecoder, MessageEncoder } from '../../src/peers/message-codec.ts'
import type { QuorumMessage } from '../../src/peers/message-sections.ts'
import { prefixBytes } from '../../src/protocol/peer/frame.ts'
import { stamp } from '../../src/records/batch.ts'
import { areWhole } from '../../src/replica/entries.ts'
import type { PeerMessage } from '../../src/replica/outbox.ts'
import { batchOf } from '../replica/fixture.ts'
import { topic } from './fixture.ts'

function placed(baseOffset: number, ...values: string[]): Buffer {
  const batch = batchOf(...values)
  stamp(batch, 0, { baseOffset, leaderEpoch: 3 })
  return batch
}

const record: typeof fc.record = (model: object) => fc.record(model, { noNullPrototype: true }) as never
const int = fc.integer({ min: -1, max: 2 ** 31 - 1 })
const long = fc.maxSafeNat()
const ids = fc.array(fc.nat(1000), { maxLength: 4 })
const disks = fc.array(fc.constantFrom('', '00000000-0000-4000-8000-000000000001'), { maxLength: 3 })
const mark = fc.oneof(
  record({ kind: fc.constant('epochStart' as const), leaderId: int }),
  record({ kind: fc.constant('voters' as const), voters: ids, outgoing: ids, disks }),
  record({ kind: fc.constant('logStart' as const), offset: long }),
)
const entries = record({
  marks: fc.array(record({ mark, position: long, offset: long, epoch: int }), { maxLength: 3 }),
  batches: fc.array(fc.constantFrom(placed(7, 'a'), placed(8, 'b', 'c'), placed(2 ** 40, 'x'.repeat(3000))), {
    maxLength: 3,
  }),
})
/** Of a broker's pulses; 0: no word is given. */
const session = fc.integer({ min: 0, max: 0xffff_ffff })
const type = <T extends string>(name: T) => fc.constant(name)
const message: fc.Arbitrary<QuorumMessage> = fc.oneof(
  record({
    type: type('voteRequest'),
    epoch: int,
    preVote: fc.boolean(),
    transfer: fc.boolean(),
    lastEpoch: int,
    endPosition: long,
  }),
  record({ type: type('voteReply'), epoch: int, preVote: fc.boolean(), granted: fc.boolean() }),
  record({
    type: type('append'),
    epoch: int,
    from: long,
    fromEpoch: int,
    attempt: int,
    highWatermark: long,
    runs: fc.constant([]),
    entries: fc.constant(null),
  }),
  record({
    type: type('append'),
    epoch: int,
    from: long,
    fromEpoch: int,
    attempt: int,
    highWatermark: long,
    runs: fc.array(record({ epoch: int, until: long }), { minLength: 1, maxLength: 3 }),
    entries,
  }),
  record({ type: type('appended'), epoch: int, matched: long, durable: long }),
  record({
    type: type('conflict'),
    epoch: int,
    from: long,
    position: long,
    positionEpoch: int,
    attempt: int,
  }),
  record({
    type: type('heartbeat'),
    epoch: int,
    sentMs: fc.double({ noNaN: true }),
    highWatermark: long,
    session,
  }),
  record({
    type: type('heartbeatReply'),
    epoch: int,
    sentMs: fc.double({ noNaN: true }),
    matched: long,
    durable: long,
    session,
  }),
  record({ type: type('advance'), epoch: int, highWatermark: long }),
  record({ type: type('timeoutNow'), epoch: int }),
  record({ type: type('fenced'), epoch: int }),
  record({
    type: type('install'),
    epoch: int,
    position: long,
    positionEpoch: int,
    offset: long,
    start: long,
    membership: record({
      position: fc.integer({ min: -1, max: 1000 }),
      voters: ids,
      outgoing: ids,
      disks,
    }),
    size: long,
    crc: fc.nat(2 ** 32 - 1),
    at: long,
    piece: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  }),
  record({ type: type('installed'), epoch: int, position: long, received: long }),
)
const replica = fc.integer({ min: 0, max: 5 }).map((index) => `${topic}-${index}`)
const messages = fc.array(record({ replica, message }), { minLength: 1, maxLength: 30 })

/** A connection: whatever is sent, in pieces of these sizes. */
class Wire {
  readonly encoder = new MessageEncoder(1)
  readonly decoder = new MessageDecoder(1)
  readonly cutter = new FrameCutter(1 << 27, noBuffers)
  frames = 0

  bytesOf(all: readonly PeerMessage[]): Buffer {
    const pieces: Buffer[] = []
    for (let at = 0; at < all.length; this.frames++) {
      const { frame, next } = this.encoder.frame(all, at)
      if (frame.bytes !== frame.pieces.reduce((sum, piece) => sum + piece.length, 0))
        throw new Error('a frame knows its size')
      pieces.push(...frame.pieces)
      at = next
    }
    return Buffer.concat(pieces)
  }

  receive(bytes: Buffer, pieceBytes = bytes.length): PeerMessage[] {
    const got: PeerMessage[] = []
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.cutter.push(bytes.subarray(at, at + pieceBytes))
      for (let frame = this.cutter.next(); frame !== null; frame = this.cutter.next()) {
        got.push(...this.decoder.messages(new Reader(frame.head, 1), frame.payload))
      }
    }
    return got
  }
}

/** Where one batch ends is seen in the bytes, not in the list. */
function flat(all: readonly PeerMessage[]): unknown[] {
  return all.map(({ replica, message }) => {
    if (message.type !== 'append' || message.entries === null) return { replica, message }
    const { marks, batches } = message.entries
    return {
      replica,
      message: { ...message, entries: { marks, batches: Buffer.concat(batches).toString('hex') } },
    }
  })
}

t.test('what leaves is what arrives, in order, whatever the pieces', async () => {
  fc.assert(
    fc.property(
      fc.array(messages, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 5000 }),
      (turns, pieceBytes) => {
        const wire = new Wire()
        const bytes = Buffer.concat(turns.map((turn) => wire.bytesOf(turn)))
        return isDeepStrictEqual(flat(wire.receive(bytes, pieceBytes)), flat(turns.flat()))
      },
    ),
    { numRuns: 300 },
  )
})

t.test('batches leave as they lie in memory: no copy', async (t) => {
  const batch = placed(0, 'y'.repeat(100_000))
  const { frame } = new MessageEncoder(1).frame([append(0, [batch])])
  t.ok(frame.pieces.includes(batch))
  t.ok(frame.bytes - batch.length < 250, `${frame.bytes - batch.length} bytes beside the batch`)
})

t.test('a turn of a thousand quorums is one frame of 26 bytes each', async (t) => {
  const wire = new Wire()
  const beats = Array.from({ length: 1000 }, (_, index): PeerMessage => {
    return {
      replica: `${topic}-${index}`,
      message: { type: 'heartbeat', epoch: 3, sentMs: 1.5, highWatermark: index, session: 7 },
    }
  })
  t.same(wire.receive(wire.bytesOf(beats)), beats)
  t.equal(wire.frames, 1)
  const again = wire.bytesOf(beats)
  t.ok(again.length < 26_100, `${again.length} bytes when the names are known`)
  t.same(wire.receive(again), beats)
})

t.test('large appends get frames of their own', async (t) => {
  const wire = new Wire()
  const big = placed(0, 'z'.repeat(700_000))
  const appends = [append(0, [big]), append(1, [big]), append(2, [placed(0, 'small')])]
  t.same(flat(wire.receive(wire.bytesOf(appends))), flat(appends))
  t.equal(wire.frames, 2)
})

t.test('numbers for replicas are used up, and begin anew', async (t) => {
  const wire = new Wire()
  for (let round = 0; round < 9; round++) {
    const beats = Array.from({ length: 9000 }, (_, index): PeerMessage => {
      const replica = `${topic}-${index % 7 === 0 ? index : round * 9000 + index}`
      return { replica, message: { type: 'advance', epoch: round, highWatermark: index } }
    })
    t.ok(isDeepStrictEqual(wire.receive(wire.bytesOf(beats)), beats))
  }
})

t.test('no damage to a single byte goes unnoticed', async (t) => {
  const some: PeerMessage[] = [
    append(0, [placed(5, 'first'), placed(6, 'second', 'third')]),
    {
      replica: `${topic}-0`,
      message: { type: 'heartbeat', epoch: 3, sentMs: 1.5, highWatermark: 9, session: 0 },
    },
    append(1, [placed(1, 'other')]),
  ]
  const sound = new Wire().bytesOf(some)
  const caught = { frame: 0, batch: 0 }
  for (let at = 0; at < sound.length; at++) {
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Buffer.from(sound)
      damaged[at] = (damaged[at] ?? 0) ^ flip
      let got: PeerMessage[]
      try {
        got = new Wire().receive(damaged)
      } catch (error) {
        if (!(error instanceof Faulted)) throw error
        caught.frame++
        continue
      }
      // The rest of a batch is covered by its own checksum, which the follower checks before it appends.
      const isCaught = got.some(
        ({ message }) => message.type === 'append' && message.entries !== null && !areWhole(message.entries),
      )
      if (!isCaught) t.fail(`byte ${at} of ${sound.length} may be damaged`)
      caught.batch++
    }
  }
  t.ok(caught.frame > 3 * 3 * 21 && caught.batch > 100, JSON.stringify(caught))
})

t.test('a damaged size is found with its prefix, not after so many bytes', async (t) => {
  const sound = new Wire().bytesOf([append(0, [placed(5, 'first')])])
  for (let at = 0; at < prefixBytes; at++) {
    const damaged = Buffer.from(sound.subarray(0, prefixBytes))
    damaged[at] = (damaged[at] ?? 0) ^ 0x40
    const cutter = new FrameCutter(1 << 27, noBuffers)
    cutter.push(damaged)
    t.throws(() => cutter.next(), { name: 'BadFrame' }, `byte ${at}`)
  }
})

t.test('frames that are whole and make no sense are malformed, and nothing else', async (t) => {
  const heads = new Wire().bytesOf([
    append(0, [placed(5, 'first')]),
    {
      replica: `${topic}-0`,
      message: { type: 'heartbeat', epoch: 3, sentMs: 1.5, highWatermark: 9, session: 0 },
    },
  ])
  const cutter = new FrameCutter(1 << 27, noBuffers)
  cutter.push(heads)
  const frame = cutter.next()
  if (frame === null) throw new Error('there is a frame')
  let refused = 0
  fc.assert(
    fc.property(
      fc.nat(frame.head.length - 1),
      fc.nat(255),
      fc.nat(frame.payload.length),
      (at, byte, payloadBytes) => {
        const head = Buffer.from(frame.head)
        head[at] = byte
        try {
          new MessageDecoder(1).messages(new Reader(head, 1), frame.payload.subarray(0, payloadBytes))
        } catch (error) {
          if (!(error instanceof Faulted)) throw error
          refused++
        }
      },
    ),
    { numRuns: 3000 },
  )
  t.ok(refused > 1000, `${refused} refused`)
})

function append(index: number, batches: Buffer[]): PeerMessage {
  const entries = { marks: [], batches }
  const fields = { epoch: 3, from: 5, fromEpoch: 3, attempt: 1, highWatermark: 4 }
  return {
    replica: `${topic}-${index}`,
    message: { type: 'append', ...fields, runs: [{ epoch: 3, until: 8 }], entries },
  }
}
