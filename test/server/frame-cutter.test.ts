import t from 'tap'
import { noBuffers } from '../../src/base/buffer-pool.ts'
import { FrameCutter } from '../../src/server/frame-cutter.ts'

const mebibyte = 1024 * 1024

function framed(...frames: readonly Buffer[]): Buffer {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const prefix = Buffer.alloc(4)
      prefix.writeInt32BE(frame.length)
      return [prefix, frame]
    }),
  )
}

function cut(cutter: FrameCutter, chunks: Iterable<Buffer>): Buffer[] {
  const frames: Buffer[] = []
  for (const chunk of chunks) {
    cutter.push(chunk)
    for (let frame = cutter.next(); frame !== null; frame = cutter.next()) frames.push(frame)
  }
  return frames
}

function bytes(size: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + seed) & 0xff))
}

const frames = [bytes(10, 1), Buffer.alloc(0), bytes(1, 2), bytes(70_000, 3), bytes(300, 4)]
const stream = framed(...frames)

t.test('frames come out whole wherever the stream is cut', async (t) => {
  t.same(cut(new FrameCutter(mebibyte, noBuffers), [stream]), frames, 'in one piece')
  const single = Array.from({ length: stream.length }, (_, i) => stream.subarray(i, i + 1))
  t.same(cut(new FrameCutter(mebibyte, noBuffers), single), frames, 'byte by byte')
  const short = framed(bytes(10, 1), Buffer.alloc(0), bytes(300, 4))
  for (let at = 0; at <= short.length; at++) {
    const cutter = new FrameCutter(mebibyte, noBuffers)
    t.same(
      cut(cutter, [short.subarray(0, at), short.subarray(at)]),
      [bytes(10, 1), Buffer.alloc(0), bytes(300, 4)],
      `cut at ${at}`,
    )
    t.equal(cutter.partialBytes, 0)
  }
})

t.test('memory grows with what was received, not with what is announced', async (t) => {
  const frame = Buffer.alloc(100 * mebibyte)
  const prefix = Buffer.alloc(4)
  prefix.writeInt32BE(frame.length)
  const before = process.memoryUsage().arrayBuffers
  const cutters = Array.from({ length: 500 }, () => new FrameCutter(frame.length, noBuffers))
  for (const cutter of cutters) cut(cutter, [prefix, Buffer.alloc(1)])
  t.ok(process.memoryUsage().arrayBuffers - before < 8 * mebibyte, '500 announcements of 100 MiB')
  t.equal(cutters[0]?.partialBytes, 5)
})

t.test(
  'chunks are lent: frames, and what waits for the rest of one, stay when they are overwritten',
  async (t) => {
    for (const size of [1, 3, 7, 100, 1000, 100_000]) {
      const cutter = new FrameCutter(mebibyte, noBuffers)
      const lent = Buffer.alloc(size)
      const found: Buffer[] = []
      for (let at = 0; at < stream.length; at += size) {
        const bytes = stream.copy(lent, 0, at, Math.min(at + size, stream.length))
        cutter.push(lent.subarray(0, bytes))
        // One at a time, as from a connection that is held up.
        const frame = cutter.next()
        if (frame !== null) found.push(frame)
        cutter.keep()
        lent.fill(0xff)
      }
      for (let frame = cutter.next(); frame !== null; frame = cutter.next()) found.push(frame)
      t.same(found, frames, `chunks of ${size}`)
    }
  },
)

t.test('a frame does not keep more in memory than itself', async (t) => {
  const small = bytes(100, 1)
  const [first] = cut(new FrameCutter(mebibyte, noBuffers), [framed(small, bytes(60_000, 2))])
  t.same(first, small)
  t.ok((first?.buffer.byteLength ?? 0) < 10_000, 'not the chunk that it came in')
  const gathered = cut(new FrameCutter(mebibyte, noBuffers), [
    stream.subarray(0, 1000),
    stream.subarray(1000),
  ])
  t.equal(gathered[3]?.buffer.byteLength, 70_000, 'gathered: exactly its size')
})

t.test('a size that cannot be is refused, and says whose protocol it looks like', async (t) => {
  const refused = (first: Buffer, before: readonly Buffer[] = []) => {
    const cutter = new FrameCutter(mebibyte, noBuffers)
    cut(cutter, before)
    cutter.push(first)
    return () => cutter.next()
  }
  const size = (bytes: number) => {
    const prefix = Buffer.alloc(4)
    prefix.writeInt32BE(bytes)
    return prefix
  }
  t.throws(refused(size(-1)), { reason: 'size', message: /-1 bytes/ })
  t.throws(refused(size(mebibyte + 1)), { reason: 'size', message: /socket\.request\.max\.bytes/ })
  t.doesNotThrow(refused(size(mebibyte)))
  t.throws(refused(Buffer.from('160301020001', 'hex')), { reason: 'foreign', message: /TLS/ })
  t.throws(refused(Buffer.from('GET / HTTP/1.1\r\n')), { reason: 'foreign', message: /HTTP/ })
  t.throws(refused(Buffer.from('POST /topics HTTP/1.1\r\n')), { reason: 'foreign', message: /HTTP/ })
  t.throws(refused(Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')), { reason: 'foreign', message: /SSH/ })
  // Only the first word of a connection is a greeting.
  t.throws(refused(Buffer.from('GET '), [framed(bytes(3, 1))]), { reason: 'size', message: /bytes/ })
})
