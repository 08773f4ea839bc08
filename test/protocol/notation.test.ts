import t from 'tap'
import { AssertionFailed } from '../../src/base/assert.ts'
import { Malformed, Reader, Writer } from '../../src/base/bytes.ts'
import {
  api,
  array,
  bigint64,
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  type Layout,
  layout,
  nearest64,
  type RequestInput,
  type RequestOf,
  records,
  type Shape,
  string,
  struct,
  uint16,
  uint32,
  uuid,
  type ValueInput,
  type ValueOf,
  zeroUuid,
} from '../../src/protocol/notation.ts'

function encode<S extends Shape>(layout: Layout<S>, value: ValueInput<Layout<S>>, version = 0): string {
  const writer = new Writer()
  layout.encode(writer, value, version)
  return writer.toBuffer().toString('hex')
}

function decode<S extends Shape>(layout: Layout<S>, hex: string, version = 0): ValueOf<Layout<S>> {
  const reader = new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
  const value = layout.decode(reader, version)
  reader.expectEnd('the value')
  return value
}

const classic = { versions: [0, 9], flexible: null } as const
const compact = { versions: [0, 9], flexible: 0 } as const

t.test('every type, in both encodings', async (t) => {
  const shape = {
    int8,
    int16,
    int32,
    int64,
    nearest64,
    bigint64,
    uint16,
    uint32,
    float64,
    bool,
    uuid,
    string,
    bytes,
    records,
    array: array(int8),
    struct: struct({ x: int8 }),
  }
  const value: ValueOf<Layout<typeof shape>> = {
    int8: -2,
    int16: -3,
    int32: -4,
    int64: -5,
    nearest64: 6,
    bigint64: -(2n ** 63n),
    uint16: 0xfffe,
    uint32: 0xfffffffe,
    float64: 0.5,
    bool: true,
    uuid: '00112233-4455-6677-8899-aabbccddeeff',
    string: 'hé',
    bytes: Buffer.from([1, 2]),
    records: [Buffer.from([3, 4, 5])],
    array: [7, 8],
    struct: { x: 9 },
  }
  const fixed =
    'fefffdfffffffcfffffffffffffffb00000000000000068000000000000000fffefffffffe3fe000000000000001' +
    '00112233445566778899aabbccddeeff'
  const asClassic = `${fixed}000368c3a9000000020102000000030304050000000207080${'9'}`
  const asCompact = `${fixed}0468c3a903010204030405030708090000`
  t.equal(encode(layout(shape, classic), value), asClassic)
  t.strictSame(decode(layout(shape, classic), asClassic), value)
  t.equal(encode(layout(shape, compact), value), asCompact)
  t.strictSame(decode(layout(shape, compact), asCompact), value)
})

t.test('a field exists from a version, until a version', async (t) => {
  const versioned = layout({ a: int8.since(1).until(3).or(7), b: int8 }, classic)
  t.equal(encode(versioned, { b: 1 }, 0), '01')
  t.equal(encode(versioned, { a: 2, b: 1 }, 1), '0201')
  t.equal(encode(versioned, { b: 1 }, 2), '0701', 'its default when it was not given')
  t.equal(encode(versioned, { a: 7, b: 1 }, 3), '01', 'the default may be said anywhere')
  t.strictSame(decode(versioned, '01', 0), { a: 7, b: 1 })
  t.strictSame(decode(versioned, '0201', 2), { a: 2, b: 1 })
  t.strictSame(decode(versioned, '01', 3), { a: 7, b: 1 })
})

t.test('what a version cannot say is not lost silently, unless it may be ignored', async (t) => {
  const some = layout(
    {
      a: int8.since(1),
      list: array(int8).since(1),
      inner: struct({ x: int8.or(-1) }).since(1),
      text: string.nullable.since(1),
    },
    classic,
  )
  t.equal(encode(some, { a: 0, list: [], inner: { x: -1 }, text: null }), '')
  t.equal(encode(some, { inner: {} }), '')
  for (const value of [{ a: 1 }, { list: [1] }, { inner: { x: 0 } }, { text: '' }]) {
    t.throws(() => encode(some, value), AssertionFailed, Object.keys(value).join())
  }
  t.throws(() => encode(some, { a: 1 }), { message: /layout v0: a can be said in this version/ })
  const ignorable = layout({ a: int8.since(1).ignorable, tagged: int8.since(1).tag(0).ignorable }, classic)
  t.equal(encode(ignorable, { a: 1, tagged: 1 }), '')
  t.equal(
    encode(ignorable, { a: 1, tagged: 1 }, 1),
    '01',
    'a tag has no place in a version that is not flexible',
  )
})

t.test('null', async (t) => {
  const nullables = layout(
    {
      s: string.nullable,
      b: bytes.nullable,
      l: array(int8).nullable,
      o: struct({ x: int8 }).nullable,
      r: records.nullable,
    },
    classic,
  )
  const none = { s: null, b: null, l: null, o: null, r: null }
  t.equal(encode(nullables, none), 'ffffffffffffffffffffffffffffff')
  t.strictSame(decode(nullables, 'ffffffffffffffffffffffffffffff'), none)
  t.equal(encode(nullables, { ...none, o: { x: 5 } }), 'ffffffffffffffffffff0105ffffffff')
  const later = layout({ s: string.nullableSince(2) }, classic)
  t.equal(encode(later, { s: null }, 2), 'ffff')
  t.throws(() => encode(later, { s: null }, 1), { message: /s is not null in this version/ })
  t.throws(() => decode(later, 'ffff', 1), Malformed)
  t.throws(() => decode(layout({ l: array(int8) }, classic), 'ffffffff'), Malformed)
  t.throws(() => decode(layout({ b: bytes }, compact), '0000'), Malformed)
})

t.test('defaults are Kafka’s', async (t) => {
  const absent = layout(
    {
      i: int32.since(1),
      b: bool.since(1),
      s: string.since(1),
      u: uuid.since(1),
      y: bytes.since(1),
      l: array(int8).since(1),
      n: string.nullable.since(1),
      big: bigint64.since(1).or(-1n),
      inner: struct({ x: int8.or(-1), y: array(string) }).since(1),
      rec: records.since(1),
    },
    classic,
  )
  const value = decode(absent, '')
  t.strictSame(value, {
    i: 0,
    b: false,
    s: '',
    u: zeroUuid,
    y: Buffer.alloc(0),
    l: [],
    n: null,
    big: -1n,
    inner: { x: -1, y: [] },
    rec: [],
  })
  value.l.push(1)
  t.strictSame(decode(absent, '').l, [], 'every message has lists of its own')
})

t.test('tagged fields', async (t) => {
  const tagged = layout(
    {
      late: int8.tag(300).or(5),
      plain: int8,
      list: array(int8).tag(1),
      leader: struct({ id: int32.or(-1) }).tag(0),
      name: string.nullable.tag(2),
    },
    { versions: [0, 1], flexible: 1 },
  )
  t.equal(encode(tagged, { plain: 1 }, 1), '0100', 'a default takes no byte')
  t.equal(encode(tagged, { plain: 1, late: 5, list: [], leader: { id: -1 }, name: null }, 1), '0100')
  const all = '01 04 00 05 00000007 00 01 02 02 09 02 02 0261 ac02 01 06'.replaceAll(' ', '')
  const value = { late: 6, plain: 1, list: [9], leader: { id: 7 }, name: 'a' }
  t.equal(encode(tagged, value, 1), all, 'in ascending order')
  t.strictSame(decode(tagged, all, 1), value)
  t.strictSame(decode(tagged, '01 02 02 02 0261 63 03 aabbcc', 1), {
    ...{ late: 5, plain: 1, list: [], leader: { id: -1 } },
    name: 'a',
  })
  t.strictSame(Object.keys(decode(tagged, '0100', 1)), Object.keys(decode(tagged, '01', 0)))
  t.throws(() => decode(tagged, '01 01 01 03 02 09', 1), Malformed, 'a size beyond the frame')
  t.throws(() => decode(tagged, '01 01 01 03 02 09 00', 1), { message: /a wrong size of tag 1/ })
  t.throws(() => decode(tagged, '01 02 00', 1), Malformed, 'more tags than bytes')
  t.throws(() => decode(tagged, '01 01 63 04 aabb', 1), Malformed, 'an unknown tag beyond the frame')
  const long = array(string).tag(0)
  for (const size of [0, 124, 125, 126, 16380, 16381, 20000]) {
    const text = 'x'.repeat(size)
    const one = layout({ long }, compact)
    t.strictSame(decode(one, encode(one, { long: [text] })), { long: [text] }, `a tag of ${size} bytes`)
  }
})

t.test('a classic field stays classic', async (t) => {
  const mixed = layout({ a: string.nullable.classic, b: string }, compact)
  t.equal(encode(mixed, { a: 'x', b: 'x' }), '000178027800')
  t.equal(encode(mixed, { a: null, b: 'x' }), 'ffff027800')
})

t.test('records travel by reference', async (t) => {
  const one = layout({ before: int8, records, after: int8 }, classic)
  const batches = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('second')]
  const writer = new Writer()
  one.encode(writer, { before: 1, records: batches, after: 2 }, 0)
  const pieces = writer.finish()
  t.ok(pieces.includes(batches[0] as Buffer) && pieces.includes(batches[2] as Buffer))
  const frame = Buffer.concat(pieces)
  const decoded = one.decode(new Reader(frame), 0)
  t.equal(decoded.records[0]?.buffer, frame.buffer, 'and are read as a slice of the frame')
  t.equal(decoded.records[0]?.toString(), 'firstsecond')
  t.equal(encode(one, { before: 1, records: [], after: 2 }), '010000000002', 'an empty list is no null')
  t.strictSame(decode(one, '01ffffffff02').records, [], 'other brokers do send null')
  t.strictSame(decode(layout({ records: records.nullable }, compact), '0100').records, [])
})

t.test('a count is believed only as far as the bytes go', async (t) => {
  const list = layout({ list: array({ a: int64, s: string }) }, classic)
  t.throws(() => decode(list, `0000000b${'00'.repeat(109)}`), {
    message: /a count of 11, more than the frame can hold, in list/,
  })
  t.equal(decode(list, `0000000b${'00'.repeat(110)}`).list.length, 11)
  t.throws(() => decode(list, '7fffffff'), Malformed)
  t.throws(() => decode(list, 'fffffffe'), Malformed)
  t.throws(() => decode(layout({ list: array(int8) }, compact), 'ffffffff0f'), Malformed)
})

t.test('a sentence names the field and the place', async (t) => {
  const nested = layout({ topics: array({ partitions: array({ index: int32 }) }) }, classic)
  t.throws(() => decode(nested, '00000001 00000001 0000'), {
    name: 'Malformed',
    door: 'bytes',
    message: 'bytes: a count of 1, more than the frame can hold, in topics.partitions at byte 8 of 10',
  })
  t.throws(() => decode(layout({ a: int8, b: int64 }, classic), '000000'), {
    message: 'bytes: 8 bytes are needed where 2 are left, for b at byte 1 of 3',
  })
})

t.test('what a type cannot hold is not written', async (t) => {
  for (const [field, value] of [
    [int8, 128],
    [int16, -32769],
    [int32, 2 ** 31],
    [int32, Number.NaN],
    [int32, 0.5],
    [int64, 2 ** 53],
    [uint16, -1],
    [uint32, 2 ** 32],
    [bigint64, 2n ** 63n],
    [uuid, 'no uuid'],
    [string, 'x'.repeat(32768)],
    [int16, undefined],
  ] as const) {
    t.throws(
      () => encode(layout({ field }, classic), { field: value } as never),
      AssertionFailed,
      String(value).slice(0, 20),
    )
  }
})

t.test('an api: its headers, its versions, its types', async (t) => {
  const Example = api({
    key: 77,
    name: 'Example',
    versions: [1, 4],
    flexible: 3,
    request: { id: int32, name: string.nullable.or(null), later: array({ x: int8, y: int8.or(1) }).since(2) },
    response: { errorCode: int16 },
  })
  t.strictSame([1, 2, 3, 4].map(Example.requestHeaderVersion), [1, 1, 2, 2])
  t.strictSame([1, 2, 3, 4].map(Example.responseHeaderVersion), [0, 0, 1, 1])
  const versions = api({
    key: 18,
    name: 'ApiVersions',
    versions: [0, 4],
    flexible: 3,
    request: {},
    response: {},
  })
  t.strictSame([versions.requestHeaderVersion(4), versions.responseHeaderVersion(4)], [2, 0], 'KIP-511')
  t.equal(versions.requestHeaderVersion(99), 2, 'also of versions that are not served')
  for (const version of [0, 5, 1.5]) {
    t.throws(() => Example.decodeRequest(new Reader(Buffer.alloc(9)), version), {
      message: /Example request v.* is defined/,
    })
  }
  t.throws(() => Example.decodeRequest(new Reader(Buffer.alloc(7)), 1), {
    message: /1 bytes are left after Example/,
  })

  // What follows is checked by the compiler.
  const least: RequestInput<typeof Example> = { id: 1 }
  const most: RequestInput<typeof Example> = { id: 1, name: 'n', later: [{ x: 1 }] }
  // @ts-expect-error a field that has no default is not omitted
  const noId: RequestInput<typeof Example> = { name: 'n' }
  // @ts-expect-error nor does one that is not defined belong
  const other: RequestInput<typeof Example> = { id: 1, colour: 'red' }
  // @ts-expect-error a field that is not nullable is not null
  const nullId: RequestInput<typeof Example> = { id: null }
  const decoded: RequestOf<typeof Example> = { id: 1, name: null, later: [{ x: 1, y: 2 }] }
  // @ts-expect-error what was decoded has every field
  const partly: RequestOf<typeof Example> = { id: 1, name: null }
  t.ok([least, most, noId, other, nullId, decoded, partly])
})
