import t from 'tap'
import { BufferPool, release, retain } from '../../src/base/buffer-pool.ts'

t.test('memory is used again when nobody has a use of it any more', async (t) => {
  const pool = new BufferPool({ bytesMax: 1_000_000, sizeMin: 1000 })
  const first = pool.take(5000)
  t.equal(first.length, 5000)
  const slice = first.subarray(100, 200)
  retain(slice)
  release(first)
  t.not(pool.take(5000).buffer, first.buffer, 'a slice of it is still used')
  release(slice)
  t.equal(pool.take(4900).buffer, first.buffer, 'also for somewhat less')
})

t.test('a use that is released twice is our bug', async (t) => {
  const pool = new BufferPool({ bytesMax: 1_000_000, sizeMin: 1000 })
  const bytes = pool.take(5000)
  release(bytes)
  t.throws(() => release(bytes), { name: 'AssertionFailed' })
  t.throws(() => retain(bytes), { name: 'AssertionFailed' }, 'and so is one that begins too late')
})

t.test('what is kept is bounded, and what was wanted last is kept', async (t) => {
  const pool = new BufferPool({ bytesMax: 100_000, sizeMin: 1000 })
  const giveBack = (size: number, count: number) => {
    const all = Array.from({ length: count }, () => pool.take(size))
    for (const bytes of all) release(bytes)
  }
  giveBack(8192, 100)
  t.ok(pool.freeBytes > 90_000 && pool.freeBytes <= 100_000, `${pool.freeBytes}`)
  giveBack(20_480, 4)
  t.ok(pool.freeBytes <= 100_000, `${pool.freeBytes}`)
  const kept = pool.freeBytes
  const again = pool.take(20_480)
  t.equal(pool.freeBytes, kept - 20_480)
  release(again)
  pool.configure({ bytesMax: 0, sizeMin: 1000 })
  t.equal(pool.freeBytes, 0)
})

t.test('small and huge buffers, and memory of others, are none of its business', async (t) => {
  const pool = new BufferPool({ bytesMax: 100_000, sizeMin: 1000 })
  for (const bytes of [pool.take(999), pool.take(60_000), Buffer.alloc(5000), pool.take(0)]) {
    retain(bytes)
    release(bytes)
    release(bytes)
  }
  t.equal(pool.freeBytes, 0)
})
