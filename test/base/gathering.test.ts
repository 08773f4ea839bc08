import t from 'tap'
import { BufferPool, noBuffers, release } from '../../src/base/buffer-pool.ts'
import { Gathering } from '../../src/base/gathering.ts'

const mebibyte = 1024 * 1024

function bytes(size: number, seed = 1): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + seed) & 0xff))
}

/** Reads `stream` as a socket does: to where there is room, else to memory that the next read overwrites. Says how much went there. */
function gather(gathering: Gathering, stream: Buffer, readBytes: (read: number) => number): number {
  const shared = Buffer.alloc(stream.length)
  let into: Buffer | null = null
  let inPlace = 0
  for (let at = 0, read = 0; at < stream.length; read++) {
    const chunk = stream.subarray(at, at + Math.min(readBytes(read), into?.length ?? Infinity))
    const place = (into ?? shared).subarray(0, chunk.length)
    chunk.copy(place)
    if (gathering.adopt(place)) inPlace += place.length
    else gathering.take(place)
    shared.fill(0xff)
    at += chunk.length
    into = gathering.room
  }
  return inPlace
}

t.test('a frame is the same wherever its pieces were read to', async (t) => {
  for (const size of [1, 5000, 16_384, 70_000, 300_001, 3 * mebibyte]) {
    const stream = bytes(size)
    for (const piece of [1000, 16_384, 65_536, mebibyte]) {
      const gathering = new Gathering(size, 4096, noBuffers)
      t.notOk(gathering.isWhole)
      gather(gathering, stream, (read) => (read % 3 === 2 ? 777 : piece))
      t.ok(gathering.isWhole)
      t.ok(gathering.frame.equals(stream), `${size} in pieces of ${piece}`)
      t.equal(gathering.room, null)
    }
  }
})

t.test('after the first read, a large frame is read to its place', async (t) => {
  const gathering = new Gathering(mebibyte, 4096, noBuffers)
  t.equal(
    gather(gathering, bytes(mebibyte), () => 262_144),
    mebibyte - 262_144,
  )
})

t.test('the last of a frame comes with what follows it', async (t) => {
  const gathering = new Gathering(mebibyte, 4096, noBuffers)
  gathering.take(bytes(mebibyte - 16_383))
  t.equal(gathering.room, null)
})

t.test('memory grows with what has come, and memory that it grew out of is given back', async (t) => {
  const buffers = new BufferPool({ bytesMax: 64 * mebibyte, sizeMin: 1 })
  const gathering = new Gathering(100 * mebibyte, 4096, buffers)
  gathering.take(bytes(4))
  t.equal(gathering.room?.length, 4092)
  gathering.take(bytes(4092))
  t.equal(gathering.room?.length, 16_384 - 4096, 'four times as much')
  t.equal(buffers.freeBytes, 4096)
  gathering.take(bytes(2 * mebibyte))
  t.equal(gathering.room?.length, mebibyte, 'no read brings more')
  t.equal(buffers.freeBytes, 4096 + 16_384)
})

t.test('frames of any size use the same memory again, wherever they were cut', async (t) => {
  const buffers = new BufferPool({ bytesMax: 64 * mebibyte, sizeMin: 1 })
  const stream = bytes(mebibyte)
  const run = (first: number): void => {
    const gathering = new Gathering(mebibyte, 4096, buffers)
    gather(gathering, stream, (read) => (read === 0 ? first : 65_536))
    release(gathering.frame)
  }
  for (let first = 1; first < 200_000; first += 997) run(first)
  t.ok(buffers.freeBytes < 2.5 * mebibyte, `${buffers.freeBytes} bytes are kept`)
})

t.test('a frame just above a power of two is not copied once more for the little above', async (t) => {
  const buffers = new BufferPool({ bytesMax: 64 * mebibyte, sizeMin: 1 })
  const gathering = new Gathering(mebibyte + 100, 4096, buffers)
  gathering.take(bytes(262_144))
  t.equal(gathering.room?.length, mebibyte + 100 - 262_144)
  t.equal(buffers.freeBytes, 0)
})
