import fc from 'fast-check'
import t from 'tap'
import { putUuid, shortUuid, uuidAt, uuidOf, zeroUuid } from '../../src/base/uuid.ts'

t.test('bytes and text of a uuid', async (t) => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
  const property = fc.property(bytes, fc.nat({ max: 9 }), (bytes, at) => {
    const buffer = Buffer.concat([Buffer.alloc(at, 0xee), bytes, Buffer.alloc(1, 0xee)])
    const text = uuidAt(buffer, at)
    if (text.replaceAll('-', '') !== Buffer.from(bytes).toString('hex')) return false
    if (!/^.{8}-.{4}-.{4}-.{4}-.{12}$/.test(text)) return false
    const back = Buffer.from(buffer)
    back.fill(0, at, at + 16)
    return putUuid(back, at, text.toUpperCase()) && back.equals(buffer)
  })
  fc.assert(property)
  t.equal(uuidAt(Buffer.alloc(16), 0), zeroUuid)
})

t.test('what is no uuid is refused', async (t) => {
  const good = '00112233-4455-6677-8899-aabbccddeeff'
  const into = Buffer.alloc(16)
  t.ok(putUuid(into, 0, good))
  for (let i = 0; i < good.length; i++) {
    for (const letter of ['g', '/', ':', '@', 'G', '`', 'é', 'λ', good[i] === '-' ? '0' : '-']) {
      const bad = good.slice(0, i) + letter + good.slice(i + 1)
      if (putUuid(into, 0, bad)) t.fail(bad)
    }
  }
  for (const bad of ['', good.slice(1), `${good}0`, good.replaceAll('-', '')])
    t.notOk(putUuid(into, 0, bad), bad)
})

t.test('a random uuid, and the short form', async (t) => {
  t.match(uuidOf(Buffer.alloc(16, 0xff)), /^ffffffff-ffff-4fff-bfff-ffffffffffff$/)
  t.equal(shortUuid('00112233-4455-6677-8899-aabbccddeeff'), 'ABEiM0RVZneImaq7zN3u_w')
})
