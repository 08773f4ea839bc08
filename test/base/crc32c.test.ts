import fc from 'fast-check'
import t from 'tap'
import { crc32c, crc32cImplementation, crc32cTypescript } from '../../src/base/crc32c.ts'
import { loadNative } from '../../src/base/native.ts'
import { xxh32 } from '../../src/base/xxh32.ts'

t.test('crc32c has the values of RFC 3720', async (t) => {
  const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
  const vectors: [Buffer, number][] = [
    [Buffer.alloc(0), 0],
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [ascending, 0x46dd794e],
    [Buffer.from(ascending).reverse(), 0x113fdb5c],
  ]
  for (const [bytes, sum] of vectors) {
    t.equal(crc32c(bytes), sum)
    t.equal(crc32cTypescript(bytes), sum)
  }
})

t.test('crc32c is the same from both implementations, at every length and alignment', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 1200 }, (_, i) => (i * 167 + (i >> 3)) & 0xff))
  for (let length = 0; length < 1100; length++) {
    const slice = bytes.subarray(length % 16, (length % 16) + length)
    if (crc32c(slice) !== crc32cTypescript(slice)) t.fail(`length ${length}`)
  }
  t.match(crc32cImplementation(), /^(native|typescript)$/)
})

t.test('crc32c goes on from an earlier sum', async () => {
  const part = fc.uint8Array({ maxLength: 600 })
  fc.assert(
    fc.property(part, part, (a, b) => {
      const whole = crc32cTypescript(Buffer.concat([a, b]))
      const first = crc32c(Buffer.from(a))
      return crc32c(Buffer.from(b), first) === whole && crc32cTypescript(Buffer.from(b), first) === whole
    }),
  )
})

t.test('a native package that is missing, or is another, counts as absent', async (t) => {
  t.equal(
    loadNative('no-such-package-here', () => true),
    null,
  )
  t.equal(
    loadNative<{ crc32c: () => number }>('node:zlib', (z) => z.crc32c !== undefined),
    null,
  )
})

t.test('xxh32 has the published values', async (t) => {
  const vectors: [string, number][] = [
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['abc', 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ]
  for (const [input, hash] of vectors) t.equal(xxh32(Buffer.from(input)), hash, input)
})
