import t from 'tap'
import * as batch from '../../src/records/batch.ts'
import { BatchBuilder, type BatchOptions } from '../../src/records/records.ts'
import { batchPositions, checkBatch } from '../../src/records/scan.ts'
import { text } from './plain.ts'

const header = batch.batchHeaderSize

function build(options: Partial<BatchOptions> = {}, count = 3): Buffer {
  const builder = new BatchBuilder({ codec: 'none', ...options })
  for (let i = 0; i < count; i++) {
    builder.append({ key: Buffer.from(`k${i}`), value: text(20 + i), timestamp: 1_700_000_000_000 + i })
  }
  return builder.build()
}

/** `bytes` in the middle of others, so that a function that forgets its position is found out. */
function embedded(bytes: Buffer): { buffer: Buffer; at: number } {
  return { buffer: Buffer.concat([Buffer.alloc(13, 0xee), bytes, Buffer.alloc(5, 0xee)]), at: 13 }
}

t.test('every field of a header, in place', async (t) => {
  const bytes = build({
    codec: 'lz4',
    producerId: 2 ** 40 + 5,
    producerEpoch: 9,
    baseSequence: 100,
    isTransactional: true,
  })
  const { buffer, at } = embedded(bytes)
  t.equal(batch.batchSize(buffer, at), bytes.length)
  t.equal(batch.magic(buffer, at), 2)
  t.equal(batch.baseOffset(buffer, at), 0)
  t.equal(batch.leaderEpoch(buffer, at), -1)
  t.equal(batch.codecOf(buffer, at), 'lz4')
  t.equal(batch.timestampType(buffer, at), 'CreateTime')
  t.equal(batch.isTransactional(buffer, at), true)
  t.equal(batch.isControl(buffer, at), false)
  t.equal(batch.lastOffsetDelta(buffer, at), 2)
  t.equal(batch.recordCount(buffer, at), 3)
  t.equal(batch.baseTimestamp(buffer, at), 1_700_000_000_000)
  t.equal(batch.maxTimestamp(buffer, at), 1_700_000_000_002)
  t.equal(batch.producerId(buffer, at), 2 ** 40 + 5)
  t.equal(batch.producerEpoch(buffer, at), 9)
  t.equal(batch.baseSequence(buffer, at), 100)
  t.equal(batch.lastSequence(buffer, at), 102)
  t.equal(batch.verifyCrc(buffer, at), true)
  const control = build({ isControl: true, timestampType: 'LogAppendTime' })
  t.equal(batch.isControl(control, 0), true)
  t.equal(batch.timestampType(control, 0), 'LogAppendTime')
  t.equal(batch.producerId(control, 0), -1)
  t.equal(batch.lastSequence(control, 0), -1)
})

t.test('the leader stamps offset and epoch without touching the checksum', async (t) => {
  const { buffer, at } = embedded(build())
  for (const offset of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER - 2]) {
    batch.stamp(buffer, at, { baseOffset: offset, leaderEpoch: 77 })
    t.equal(batch.baseOffset(buffer, at), offset)
    t.equal(batch.lastOffset(buffer, at), offset + 2)
    t.equal(batch.leaderEpoch(buffer, at), 77)
    t.equal(batch.verifyCrc(buffer, at), true)
  }
  batch.stamp(buffer, at, { baseOffset: 41, leaderEpoch: 3 })
  t.equal(batch.nextOffset(buffer, at), 44)
  batch.setBaseOffset(buffer, at, -1)
  t.equal(batch.baseOffset(buffer, at), -1)
  t.equal(buffer.subarray(0, at).equals(Buffer.alloc(13, 0xee)), true, 'nothing before it changed')
})

t.test('LogAppendTime: the broker sets the time and the checksum', async (t) => {
  const { buffer, at } = embedded(build({ codec: 'gzip' }))
  batch.setLogAppendTime(buffer, at, 1_800_000_000_123)
  t.equal(batch.timestampType(buffer, at), 'LogAppendTime')
  t.equal(batch.maxTimestamp(buffer, at), 1_800_000_000_123)
  t.equal(batch.codecOf(buffer, at), 'gzip')
  t.equal(batch.verifyCrc(buffer, at), true)
})

t.test('sequences wrap from 2147483647 to 0', async (t) => {
  const last = (baseSequence: number) =>
    batch.lastSequence(build({ producerId: 1, producerEpoch: 0, baseSequence }), 0)
  t.equal(last(2_147_483_645), 2_147_483_647)
  t.equal(last(2_147_483_646), 0)
  t.equal(last(2_147_483_647), 1)
})

t.test('an int64 beyond 2^53 reads as the nearest number', async (t) => {
  const bytes = build()
  for (const value of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, -1n, -(2n ** 32n), -(2n ** 32n) - 1n]) {
    bytes.writeBigInt64BE(value, 43)
    t.equal(batch.producerId(bytes, 0), Number(value))
  }
})

t.test('codecs that do not exist are refused', async (t) => {
  const bytes = build()
  for (const id of [5, 6, 7]) {
    bytes.writeInt16BE(id, 21)
    t.throws(() => batch.codecOf(bytes, 0), { name: 'Refused', code: 'UNSUPPORTED_COMPRESSION_TYPE' })
  }
})

t.test('any bit flipped is noticed, but for offset and epoch, which the log compares itself', async (t) => {
  const bytes = build({ codec: 'zstd' }, 20)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const position = bit >> 3
    bytes[position] = (bytes[position] ?? 0) ^ (1 << (bit & 7))
    const unprotected = position < 8 || (position >= 12 && position < 16)
    const check = checkBatch(bytes, 0, bytes.length)
    if (unprotected ? !check.ok && bit !== 7 : check.ok) t.fail(`bit ${bit}`)
    if (position >= batch.checksummedFrom && batch.verifyCrc(bytes, 0)) t.fail(`checksum, bit ${bit}`)
    bytes[position] = (bytes[position] ?? 0) ^ (1 << (bit & 7))
  }
  t.same(checkBatch(bytes, 0, bytes.length), { ok: true, size: bytes.length })
})

t.test('a batch cut at any byte is short', async (t) => {
  const { buffer, at } = embedded(build({ codec: 'snappy' }))
  const size = batch.batchSize(buffer, at)
  for (let length = 0; length < size; length++) {
    // All bytes stay in the buffer behind `end`: they must not be looked at.
    const check = checkBatch(buffer, at, at + length)
    // The first bytes of a small offset are zeros: nothing tells them from space that was never written.
    const zeros = length > 0 && buffer.subarray(at, at + length).every((byte) => byte === 0)
    if (check.ok || check.reason !== (zeros ? 'zeros' : 'short')) t.fail(`cut to ${length}`)
  }
  t.match(checkBatch(buffer, at, at + size), { ok: true, size })
})

t.test('space that was never written is told from damage', async (t) => {
  const reason = (bytes: Buffer) => {
    const check = checkBatch(bytes, 0, bytes.length)
    return check.ok ? 'ok' : check.reason
  }
  t.equal(reason(Buffer.alloc(4096)), 'zeros')
  t.equal(reason(Buffer.alloc(10)), 'zeros')
  t.equal(reason(Buffer.alloc(0)), 'short')
  t.equal(reason(Buffer.concat([Buffer.alloc(header - 1), Buffer.alloc(20, 1)])), 'corrupt')
  t.equal(reason(Buffer.concat([build().subarray(0, 30), Buffer.alloc(500)])), 'corrupt', 'half a header')
  const tail = build()
  tail.fill(0, header)
  t.equal(reason(tail), 'corrupt', 'a header without its records')
})

t.test('lengths that cannot be are corrupt, lengths that may come are short', async (t) => {
  const bytes = build()
  for (const [length, reason] of [
    [0, 'corrupt'],
    [-1, 'corrupt'],
    [-2_147_483_648, 'corrupt'],
    [48, 'corrupt'],
    [2_147_483_635, 'short'],
    [bytes.length - 11, 'short'],
  ] as const) {
    bytes.writeInt32BE(length, 8)
    const detail =
      reason === 'short'
        ? `${bytes.length} bytes of a batch of ${length + 12}`
        : `a batch of ${length + 12} bytes`
    t.same(checkBatch(bytes, 0, bytes.length), { ok: false, reason, detail })
  }
  const negative = build()
  batch.setBaseOffset(negative, 0, -2)
  t.match(checkBatch(negative, 0, negative.length), { reason: 'corrupt', detail: 'base offset -2' })
})

t.test('the whole batches of a fetch response, without the one that is cut off', async (t) => {
  const one = build()
  const two = build({ codec: 'gzip' }, 50)
  const bytes = Buffer.concat([one, two, one])
  const all = [0, one.length, one.length + two.length]
  t.same([...batchPositions(bytes)], all)
  t.same([...batchPositions(bytes, one.length)], all.slice(1))
  for (const cut of [1, 20, one.length - 1]) {
    t.same([...batchPositions(bytes.subarray(0, bytes.length - cut))], all.slice(0, 2))
  }
  t.same([...batchPositions(Buffer.alloc(0))], [])
  bytes.writeInt32BE(-5, one.length + 8)
  t.throws(() => [...batchPositions(bytes)], { name: 'MalformedRecords' })
  bytes.writeInt8(1, 16)
  t.throws(() => [...batchPositions(bytes)], { name: 'MalformedRecords', detail: 'magic 1' })
})
