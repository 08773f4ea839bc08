import fc from 'fast-check'
import t from 'tap'
import { AssertionFailed } from '../../src/base/assert.ts'
import { Malformed, Reader, stringSizeMax, Writer } from '../../src/base/bytes.ts'
import { Faulted } from '../../src/base/errors.ts'

/**
 * What `write` wrote, in the middle of other bytes, so that a Reader that forgets its position is found out.
 */
function written(write: (writer: Writer) => void): Reader {
  const writer = new Writer()
  write(writer)
  const bytes = writer.toBuffer()
  return new Reader(Buffer.concat([Buffer.alloc(3, 0xee), bytes, Buffer.alloc(5, 0xee)]), 3, 3 + bytes.length)
}

t.test('numbers come back', async (t) => {
  const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
  const natural = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 })
  const cases = {
    int8: int(8),
    int16: int(16),
    int32: int(32),
    uint16: natural(16),
    uint32: natural(32),
    uvarint: natural(32),
    int64: fc.maxSafeInteger(),
    nearest64: fc.maxSafeInteger(),
    float64: fc.double(),
  }
  for (const [method, values] of Object.entries(cases) as [keyof typeof cases, fc.Arbitrary<number>][]) {
    const property = fc.property(values, (value) => {
      const reader = written((writer) => writer[method](value))
      const read = reader[method]('field')
      reader.expectEnd('it')
      return Object.is(read, value)
    })
    fc.assert(property)
    t.pass(method)
  }
})

t.test('numbers at their bounds', async (t) => {
  const hex = (write: (writer: Writer) => void) => {
    const writer = new Writer()
    write(writer)
    return writer.toBuffer().toString('hex')
  }
  t.equal(
    hex((w) => w.int64(-1)),
    'ffffffffffffffff',
  )
  t.equal(
    hex((w) => w.int64(Number.MAX_SAFE_INTEGER)),
    '001fffffffffffff',
  )
  t.equal(
    hex((w) => w.int64(Number.MIN_SAFE_INTEGER)),
    'ffe0000000000001',
  )
  t.equal(
    hex((w) => w.uvarint(0x7f)),
    '7f',
  )
  t.equal(
    hex((w) => w.uvarint(0x80)),
    '8001',
  )
  t.equal(
    hex((w) => w.uvarint(0xffffffff)),
    'ffffffff0f',
  )
  t.equal(
    hex((w) => w.nearest64(2 ** 63)),
    '7fffffffffffffff',
    'what an int64 cannot hold is its bound',
  )
  t.equal(
    hex((w) => w.nearest64(-(2 ** 70))),
    '8000000000000000',
  )
  t.equal(
    hex((w) => w.nearest64(2 ** 60)),
    '1000000000000000',
  )
  t.throws(() => hex((w) => w.nearest64(0.5)), AssertionFailed)

  const read = (hex: string) => new Reader(Buffer.from(hex, 'hex'))
  t.equal(read('7fffffffffffffff').nearest64('f'), 2 ** 63)
  t.equal(read('8000000000000000').nearest64('f'), -(2 ** 63))
  t.equal(read('ffe0000000000001').int64('f'), Number.MIN_SAFE_INTEGER)
  t.throws(() => read('0020000000000000').int64('f'), {
    message: /a number beyond 2\^53 in f at byte 8 of 8/,
  })
  t.throws(() => read('ffe0000000000000').int64('f'), Malformed)
  t.equal(read('7fffffffffffffff').bigint64('f'), 2n ** 63n - 1n)
  t.throws(() => read('ffffffff1f').uvarint('f'), Malformed, 'a varint of 33 bits')
  t.throws(() => read('808080808000').uvarint('f'), Malformed, 'a varint of six bytes')
  t.equal(read('8080808000').uvarint('f'), 0, 'longer than need be, within five bytes: as Kafka')
})

t.test('text comes back, and in the bytes of UTF-8', async (t) => {
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    const utf8 = Buffer.from(text)
    const reader = written((writer) => {
      writer.string(text)
      writer.compactNullableString(text)
    })
    if (!reader.buffer.includes(utf8)) return false
    return reader.string('a') === text && reader.compactNullableString('b') === text && reader.remaining === 0
  })
  fc.assert(property)
  for (const size of [0, 63, 64, 65, stringSizeMax]) {
    const text = 'a'.repeat(size)
    t.equal(written((writer) => writer.compactString(text)).compactString('f'), text, `${size} letters`)
  }
  t.equal(
    new Reader(Buffer.from('0003610080ff', 'hex')).string('f'),
    'a\0\ufffd',
    'as Kafka: no UTF-8 is no error',
  )
  const noText = Buffer.concat([Buffer.from([0x50, 0x00]), Buffer.alloc(0x5000, 0xff)])
  t.throws(() => new Reader(noText).string('name'), Malformed, 'what could not be sent back is refused')
  t.throws(
    () => new Reader(Buffer.concat([Buffer.from('818002', 'hex'), Buffer.alloc(40_000)])).compactString('f'),
    {
      message: /a string of 32768 bytes in f/,
    },
  )
  t.throws(() => written((writer) => writer.string('é'.repeat(20_000))), AssertionFailed)
})

t.test('a Reader never leaves its bytes', async (t) => {
  const buffer = Buffer.alloc(64, 0x01)
  for (const read of [
    (r: Reader) => r.int8('f'),
    (r: Reader) => r.bool('f'),
    (r: Reader) => r.int16('f'),
    (r: Reader) => r.int32('f'),
    (r: Reader) => r.int64('f'),
    (r: Reader) => r.bigint64('f'),
    (r: Reader) => r.float64('f'),
    (r: Reader) => r.uuid('f'),
    (r: Reader) => r.uvarint('f'),
    (r: Reader) => r.string('f'),
    (r: Reader) => r.bytes('f'),
    (r: Reader) => r.count(1, false, 'f'),
    (r: Reader) => r.skipTags('f'),
    (r: Reader) => r.take(1, 'f'),
  ]) {
    t.throws(() => read(new Reader(buffer, 20, 20)), Malformed, String(read))
  }
  const error = t.throws(() => new Reader(buffer, 20, 22).int32('acks'), {
    message: 'bytes: 4 bytes are needed where 2 are left, for acks at byte 20 of 22',
  })
  t.ok(error instanceof Faulted && error.door === 'bytes')
  t.throws(() => new Reader(buffer, 0, 65), AssertionFailed)
  t.equal(new Reader(buffer, 3, 10).take(7, 'f').byteOffset, buffer.byteOffset + 3, 'a slice, no copy')
  t.throws(() => new Reader(buffer, 3, 10).skip(-1, 'f'), Malformed, 'it does not go back')
})

t.test('a Writer hands out what it was given, in order, without copying what is large', async (t) => {
  const writer = new Writer()
  const large = Buffer.alloc(200_000, 7)
  writer.int32(0)
  writer.spliceBuffers([large, Buffer.alloc(0), large])
  writer.int16(5)
  writer.raw(Buffer.alloc(100_000, 9))
  t.equal(writer.size, 4 + 400_000 + 2 + 100_000)
  writer.patchInt32(0, writer.size - 4)
  writer.patchInt32(400_006, 0x0a0b0c0d)
  const pieces = writer.finish()
  t.equal(pieces.filter((piece) => piece === large).length, 2)
  const all = Buffer.concat(pieces)
  t.equal(all.readInt32BE(0), 500_002)
  t.equal(all.readInt16BE(400_004), 5)
  t.equal(all.readInt32BE(400_006), 0x0a0b0c0d)
  t.equal(all.lastIndexOf(9), all.length - 1)
  t.throws(() => writer.int8(1), AssertionFailed, 'it is spent')
})

t.test('messages of all sizes, several at once and one after the other, keep apart', async (t) => {
  const property = fc.property(
    fc.array(fc.array(fc.nat({ max: 30_000 }), { maxLength: 6 }), { maxLength: 12 }),
    (sizes) => {
      const writers = sizes.map(() => new Writer())
      const expected = sizes.map((list, i) =>
        Buffer.concat(list.map((size, k) => Buffer.alloc(size, 16 * i + k))),
      )
      for (let k = 0; k < 6; k++) {
        for (const [i, list] of sizes.entries()) {
          const size = list[k]
          if (size !== undefined) writers[i]?.raw(Buffer.alloc(size, 16 * i + k))
        }
      }
      const finished = writers.map((writer) => writer.finish())
      // Later messages must not write over earlier ones.
      for (let i = 0; i < 5; i++) {
        const later = new Writer()
        later.raw(Buffer.alloc(20_000, 0xff))
        later.finish()
      }
      return finished.every((pieces, i) => Buffer.concat(pieces).equals(expected[i] as Buffer))
    },
  )
  t.doesNotThrow(() => fc.assert(property, { numRuns: 100 }))
})
