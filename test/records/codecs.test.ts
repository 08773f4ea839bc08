import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { xxh32 } from '../../src/base/xxh32.ts'
import { type Codec, codecImplementations, codecs, compress, expand } from '../../src/records/codecs.ts'
import { CorruptPayload, ExpandedTooLarge } from '../../src/records/errors.ts'
import { typescriptLz4 } from '../../src/records/lz4-block.ts'
import { compressLz4, expandLz4, nativeBlocks as nativeLz4 } from '../../src/records/lz4-frame.ts'
import { compressSnappy, expandSnappy, nativeBlocks as nativeSnappy } from '../../src/records/snappy.ts'
import { typescriptSnappy } from '../../src/records/snappy-block.ts'
import { compressZstd, expandZstd } from '../../src/records/zstd.ts'
import { compressZstdWasm, expandZstdWasm } from '../../src/records/zstd-wasm.ts'
import { chance, fixture, line, noise, text } from './plain.ts'

interface Coder {
  name: string
  codec: Codec
  compress(bytes: Buffer): Buffer
  expand(bytes: Buffer, maxBytes: number): Buffer
}

/** Every way each codec can run on this machine. */
const coders: Coder[] = [
  ...codecs.map((codec) => ({
    name: codec,
    codec,
    compress: (bytes: Buffer) => compress(codec, bytes),
    expand: (bytes: Buffer, maxBytes: number) => expand(codec, bytes, maxBytes),
  })),
  ...[nativeLz4(), typescriptLz4].flatMap((blocks, i) =>
    blocks === null
      ? []
      : {
          name: `lz4 ${['native', 'typescript'][i]}`,
          codec: 'lz4' as const,
          compress: (bytes: Buffer) => compressLz4(bytes, blocks),
          expand: (bytes: Buffer, maxBytes: number) => expandLz4(bytes, maxBytes, blocks),
        },
  ),
  ...[nativeSnappy(), typescriptSnappy].flatMap((blocks, i) =>
    blocks === null
      ? []
      : {
          name: `snappy ${['native', 'typescript'][i]}`,
          codec: 'snappy' as const,
          compress: (bytes: Buffer) => compressSnappy(bytes, blocks),
          expand: (bytes: Buffer, maxBytes: number) => expandSnappy(bytes, maxBytes, blocks),
        },
  ),
  {
    name: 'zstd wasm',
    codec: 'zstd',
    compress: (bytes) => compressZstdWasm(bytes),
    expand: (bytes, maxBytes) => expandZstd(bytes, maxBytes, null),
  },
]

const compressing = coders.filter((coder) => coder.codec !== 'none')

function same(codec: Codec): Coder[] {
  return coders.filter((coder) => coder.codec === codec)
}

/** Returns what went wrong: an expansion may fail in these two ways and no other. */
function outcome(run: () => Buffer): Buffer | ExpandedTooLarge | CorruptPayload {
  try {
    return run()
  } catch (error) {
    if (error instanceof ExpandedTooLarge || error instanceof CorruptPayload) return error
    throw error
  }
}

t.test('what one implementation compresses every other expands', async (t) => {
  const sizes = [
    0, 1, 2, 4, 5, 11, 12, 13, 14, 16, 100, 1000, 4096, 32768, 32769, 65535, 65536, 65537, 300_000,
  ]
  for (const writer of coders) {
    for (const size of [...sizes, 1 << 20]) {
      for (const plain of [text(size), noise(size), Buffer.alloc(size)]) {
        const packed = writer.compress(plain)
        for (const reader of same(writer.codec)) {
          if (!reader.expand(packed, size).equals(plain))
            t.fail(`${writer.name} to ${reader.name}, ${size} bytes`)
        }
      }
    }
    t.pass(writer.name)
  }
})

t.test('small inputs of any shape survive', async (t) => {
  // Few distinct bytes in short runs: overlapping matches, matches at the edges.
  const input = fc
    .array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 90 })), { maxLength: 40 })
    .map((runs) => Buffer.concat(runs.map(([byte, count]) => Buffer.alloc(count, byte))))
  for (const writer of compressing) {
    fc.assert(
      fc.property(input, (plain) => {
        const packed = writer.compress(plain)
        return same(writer.codec).every((reader) => reader.expand(packed, plain.length).equals(plain))
      }),
      { numRuns: 60 },
    )
    t.pass(writer.name)
  }
})

t.test('text gets smaller, noise hardly larger', async (t) => {
  for (const { name, compress } of compressing) {
    t.ok(compress(text(100_000)).length < 40_000, `${name} text`)
    t.ok(compress(noise(100_000)).length < 100_300, `${name} noise`)
  }
})

t.test('a level changes the effort of gzip and zstd', async (t) => {
  for (const codec of ['gzip', 'zstd'] as const) {
    const [fast, thorough] = [compress(codec, text(200_000), 1), compress(codec, text(200_000), 9)]
    t.ok(thorough.length < fast.length, codec)
    t.same(expand(codec, thorough, 200_000), text(200_000))
  }
})

t.test('exactly the bound is allowed, one byte more is not', async (t) => {
  for (const { name, compress, expand } of coders) {
    for (const size of [1, 100, 65_536, 200_000]) {
      for (const plain of [text(size), noise(size)]) {
        const packed = compress(plain)
        t.equal(expand(packed, size).length, size, `${name} ${size}`)
        t.throws(() => expand(packed, size - 1), { name: 'ExpandedTooLarge', code: 'INVALID_RECORD' }, name)
        t.throws(() => expand(packed, 0), { name: 'ExpandedTooLarge' }, name)
      }
    }
  }
})

t.test('files of other programs', async (t) => {
  const plain = Buffer.from(Array.from({ length: 800 }, (_, i) => `${line(i)}\n`).join(''))
  const files: Record<string, string[]> = {
    gzip: ['gzip-cli.gz'],
    lz4: ['default', 'linked', 'block-checksums', '4mib']
      .map((name) => `lz4-cli-${name}.lz4`)
      .concat('lz4-python.lz4'),
    zstd: ['sized', 'streamed', 'two-frames'].map((name) => `zstd-cli-${name}.zst`),
  }
  for (const coder of coders) {
    for (const file of files[coder.codec] ?? []) {
      t.ok(coder.expand(fixture(file), plain.length).equals(plain), `${coder.name} reads ${file}`)
      t.throws(() => coder.expand(fixture(file), plain.length - 1), { name: 'ExpandedTooLarge' })
    }
  }
})

t.test('snappy: raw blocks, and xerial streams in a row', async (t) => {
  const raw = typescriptSnappy.compress(text(30_000))
  const twice = Buffer.concat([compressSnappy(text(50_000)), compressSnappy(text(100))])
  for (const { name, expand } of same('snappy')) {
    t.same(expand(raw, 30_000), text(30_000), name)
    t.same(expand(twice, 50_100), Buffer.concat([text(50_000), text(100)]), name)
  }
  t.equal(
    compressSnappy(text(10)).toString('hex', 0, 16),
    '82534e41505059000000000100000001',
    'as Java writes it',
  )
})

t.test('a payload cut at any byte is corrupt', async (t) => {
  for (const { name, compress, expand } of compressing) {
    const packed = compress(text(3000))
    for (let length = 0; length < packed.length; length++) {
      const cut = packed.subarray(0, length)
      // A xerial stream may end after any block, so after its header too.
      if (name.startsWith('snappy') && length === 16) continue
      if (!(outcome(() => expand(cut, 3000)) instanceof CorruptPayload)) t.fail(`${name} cut to ${length}`)
    }
    t.pass(name)
  }
})

t.test('damaged payloads fail in a known way or expand within the bound', async (t) => {
  const next = chance(7)
  const maxBytes = 40_000
  for (const { name, compress, expand } of compressing) {
    const originals = [compress(text(20_000)), compress(text(300)), compress(noise(2000))]
    for (let round = 0; round < 1500; round++) {
      const damaged = Buffer.from(originals[round % originals.length] ?? Buffer.alloc(0))
      for (let hits = 1 + (next() % 4); hits > 0; hits--) damaged[next() % damaged.length] = next()
      const result = outcome(() => expand(damaged, maxBytes))
      if (Buffer.isBuffer(result) && result.length > maxBytes) t.fail(`${name} gave ${result.length} bytes`)
    }
    for (let round = 0; round < 300; round++) {
      outcome(() => expand(noise(1 + (next() % 200), round), maxBytes))
    }
    t.pass(name)
  }
})

t.test('bombs are refused within the bound', async (t) => {
  const gibibyte: Partial<Record<Codec, Buffer>> = {
    gzip: repeat(gzipSync(Buffer.alloc(1 << 20)), 1024),
    snappy: snappyBomb(),
    lz4: lz4Bomb(),
    zstd: zstdBomb(),
  }
  for (const { name, codec, expand } of compressing) {
    const bomb = gibibyte[codec] ?? Buffer.alloc(0)
    t.throws(() => expand(bomb, 1 << 20), { name: 'ExpandedTooLarge' }, `${name}, ${bomb.length} bytes`)
    const before = process.resourceUsage().maxRSS
    for (let i = 0; i < 5; i++) outcome(() => expand(bomb, 1 << 20))
    t.ok(process.resourceUsage().maxRSS - before < 24 * 1024, `${name} stays within memory`)
  }
})

t.test('zstd: a size that is only claimed is not allocated', async (t) => {
  for (const declared of [2 ** 20, 2 ** 31, 2 ** 32 + 5, 2 ** 52]) {
    const frame = Buffer.from('28b52ffde00000000000000000010000', 'hex')
    frame.writeBigUInt64LE(BigInt(declared), 5)
    for (const { name, expand } of same('zstd')) {
      t.throws(() => expand(frame, 2 ** 40), { name: 'CorruptPayload' }, `${name} ${declared}`)
    }
  }
})

t.test('zstd: skippable frames are skipped, and every other frame counts towards the bound', async (t) => {
  const skippable = Buffer.from('502a4d180300000041424344'.slice(0, 22), 'hex')
  for (const { name, compress, expand } of same('zstd')) {
    const bytes = Buffer.concat([skippable, compress(text(5000)), skippable, compress(text(70))])
    const plain = Buffer.concat([text(5000), text(70)])
    t.same(expand(bytes, 5070), plain, name)
    t.throws(() => expand(bytes, 5069), { name: 'ExpandedTooLarge' }, name)
    t.same(expand(skippable, 0), Buffer.alloc(0), name)
  }
})

t.test('lz4: each checksum is checked, and nothing may follow the frame', async (t) => {
  for (const { name, expand } of same('lz4')) {
    const checked = fixture('lz4-cli-block-checksums.lz4')
    for (const at of [14, checked.length - 1, checked.length - 12]) {
      const damaged = Buffer.from(checked)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      t.type(
        outcome(() => expand(damaged, 100_000)),
        CorruptPayload,
        `${name} at ${at}`,
      )
    }
    t.type(
      outcome(() => expand(Buffer.concat([checked, Buffer.alloc(1)]), 100_000)),
      CorruptPayload,
    )
  }
})

t.test('lz4: a content size that is not the content', async (t) => {
  const frame = fixture('lz4-python.lz4')
  const size = frame.readUInt32LE(6)
  for (const declared of [size - 1, size + 1, 0]) {
    frame.writeUInt32LE(declared, 6)
    frame[14] = (xxh32(frame.subarray(4, 14)) >>> 8) & 0xff
    for (const { name, expand } of same('lz4')) {
      t.throws(() => expand(frame, 100_000), { name: 'CorruptPayload' }, `${name}, ${declared} for ${size}`)
    }
  }
})

t.test('lz4: blocks that lead outside their bytes', async (t) => {
  const end = `c0${'41'.repeat(12)}`
  const framed = (hex: string) => {
    const block = Buffer.from(hex, 'hex')
    const length = Buffer.alloc(4)
    length.writeUInt32LE(block.length)
    return Buffer.concat([Buffer.from('04224d18604082', 'hex'), length, block, Buffer.alloc(4)])
  }
  const blocks: [string, string][] = [
    ['a match before the start', `10410200${end}`],
    ['literals beyond the end', '5041'],
    ['a length that does not end', 'f0ffffff'],
    ['half a distance', '104101'],
    ['a match at the end', '10410100'],
    ['nothing after a match length', '1f410100'],
    ['more than a block may hold', `1f410100${'ff'.repeat(258)}00${end}`],
  ]
  for (const { expand } of same('lz4')) {
    t.same(expand(framed(`10410100${end}`), 17), Buffer.alloc(17, 0x41))
    for (const [name, hex] of blocks) t.throws(() => expand(framed(hex), 1 << 20), CorruptPayload, name)
  }
})

t.test('lz4: a match at distance 0 does not show what was in memory', async (t) => {
  const block = Buffer.from(`1f410000${'ff'.repeat(200)}00c0${'41'.repeat(12)}`, 'hex')
  const length = Buffer.alloc(4)
  length.writeUInt32LE(block.length)
  const frame = Buffer.concat([Buffer.from('04224d18604082', 'hex'), length, block, Buffer.alloc(4)])
  for (const { name, expand } of same('lz4')) {
    const result = outcome(() => expand(frame, 1 << 20))
    t.ok(!Buffer.isBuffer(result) || result.every((byte) => byte === 0x41 || byte === 0), name)
  }
  t.throws(() => expandLz4(frame, 1 << 20, typescriptLz4), CorruptPayload)
})

t.test('lz4: the native decoder itself takes what the twin writes', async (t) => {
  const decoder = nativeLz4()
  if (decoder === null) {
    t.pass('no native decoder here')
    return
  }
  const block = Buffer.alloc(70_000)
  for (const size of [1, 5, 12, 13, 14, 17, 18, 40, 300, 5000, 65_535, 65_536]) {
    for (const plain of [text(size), Buffer.alloc(size), noise(size)]) {
      const packed = block.subarray(0, typescriptLz4.compress(plain, block))
      const out = Buffer.alloc(size)
      t.equal(decoder.expand(packed, out), size)
      t.ok(out.equals(plain), `${size} bytes`)
    }
  }
})

t.test('lz4: a small result does not hold a large allocation', async (t) => {
  // 81 KB in a block that might hold 3 MB.
  const packed = fixture('lz4-cli-4mib.lz4')
  for (const { name, expand } of same('lz4')) t.ok(expand(packed, 4 << 20).buffer.byteLength < 200_000, name)
})

t.test('snappy: blocks that lead outside their bytes', async (t) => {
  const blocks: [string, string][] = [
    ['a copy from before the start', '0500410102'],
    ['a copy at distance 0', '0500410100'],
    ['literals beyond the end', '0510414141'],
    ['a long literal cut off', '0ff4'],
    ['a copy cut off', '05004101'],
    ['less than it declares', '050041'],
    ['more than it declares', '0104' + '4141'],
    ['a copy beyond what it declares', '0200410101'],
    ['no end to the length', 'ffffffffff'],
    ['a length it cannot hold', 'ffff7f0041'],
  ]
  for (const { expand } of same('snappy')) {
    t.same(expand(Buffer.from('0500410101', 'hex'), 5), Buffer.from('AAAAA'))
    for (const [name, hex] of blocks)
      t.throws(() => expand(Buffer.from(hex, 'hex'), 1 << 30), CorruptPayload, name)
  }
})

t.test('zstd in WebAssembly writes no more than the room it is given', async (t) => {
  const packed = compressZstd(text(5000))
  t.same(expandZstdWasm(packed, 5000), text(5000))
  t.equal(expandZstdWasm(packed, 4999), null)
})

t.test('says what each codec runs on', async (t) => {
  t.match(codecImplementations(), {
    gzip: 'zlib',
    snappy: /^(native|typescript)$/,
    lz4: /^(native|typescript)$/,
    zstd: /^(zlib|wasm)$/,
  })
})

function repeat(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes))
}

/** Blocks of 128 KiB, each one byte repeated: 4 bytes of input. */
function zstdBomb(): Buffer {
  const block = Buffer.alloc(4)
  block.writeUIntLE((131_072 << 3) | 2, 0, 3)
  const last = Buffer.from(block)
  last[0] = (last[0] ?? 0) | 1
  return Buffer.concat([Buffer.from('28b52ffd0058', 'hex'), repeat(block, 8191), last])
}

/** Blocks of 4 MiB, each one byte repeated. */
function lz4Bomb(): Buffer {
  const block = Buffer.allocUnsafe(20_000)
  const size = typescriptLz4.compress(Buffer.alloc(4 << 20), block)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(size)
  const blocks = repeat(Buffer.concat([length, block.subarray(0, size)]), 256)
  return Buffer.concat([Buffer.from('04224d18607073', 'hex'), blocks, Buffer.alloc(4)])
}

function snappyBomb(): Buffer {
  const whole = compressSnappy(Buffer.alloc(32 * 1024))
  return Buffer.concat([whole.subarray(0, 16), repeat(whole.subarray(16), 32_768)])
}
