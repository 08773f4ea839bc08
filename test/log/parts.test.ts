/** Slots, images, retention, the index: the small parts of a log, each by itself. */
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { Entries, IndexDamaged } from '../../src/log/entries.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import type { SegmentSummary } from '../../src/log/log.ts'
import { ProducerSnapshots } from '../../src/log/producer-snapshots.ts'
import { retentionStart } from '../../src/log/retention.ts'
import { SegmentIndex } from '../../src/log/segment-index.ts'
import { Slots } from '../../src/log/slots.ts'
import { append, Bench, flush, folder, startEpoch } from './fixture.ts'

t.test('slots', async (t) => {
  const make = () => {
    const disk = new SimDisk({ canLosePower: true })
    disk.mount().mkdir('/d')
    disk.settleAll()
    const open = (): Slots => {
      const mount = disk.mount()
      return new Slots({ disk: mount, files: new FilePool({ disk: mount, openMax: 4 }), path: '/d/vote' })
    }
    return { disk, open }
  }

  t.test('what is stored is there after a loss of power, every time', async (t) => {
    const { disk, open } = make()
    const random = new SeededRandom(3)
    t.equal(open().value, null)
    for (let i = 0; i < 40; i++) {
      const slots = open()
      if (i > 0) t.equal(slots.value?.toString(), `value ${i - 1}`)
      await slots.store(Buffer.from(`value ${i}`))
      disk.losePower(random)
    }
  })

  t.test('what is written without a sync is there or not, but never half', async (t) => {
    const { disk, open } = make()
    const random = new SeededRandom(5)
    await open().store(Buffer.alloc(400, 1))
    for (let i = 2; i < 60; i++) {
      const slots = open()
      const before = slots.value?.[0] ?? 0
      slots.write(Buffer.alloc(400, i))
      disk.losePower(random)
      const after = open().value
      t.ok(after !== null && after.length === 400 && after.every((byte) => byte === after[0]))
      t.ok(after?.[0] === i || after?.[0] === before)
    }
  })

  t.test('one damaged slot costs the newest value at most, two are refused', async (t) => {
    const { disk, open } = make()
    await open().store(Buffer.from('old'))
    await open().store(Buffer.from('new'))
    const spoil = (at: number) => disk.damage('/d/vote', (bytes) => bytes.fill(0xff, at, at + 2))
    spoil(20)
    t.match(open().value?.toString(), /old|new/)
    spoil(520)
    t.throws(() => open(), Faulted)
    t.throws(() => open(), /both slots are damaged/)
  })
})

t.test('images', async (t) => {
  t.test('the newest whole one, across losses of power; older ones go', async (t) => {
    const bench = new Bench()
    let log = await bench.open()
    t.equal(log.images.newest(), null)
    for (let i = 1; i <= 5; i++) {
      await log.images.write(i * 10, 1, Buffer.from(`state ${i}`))
      bench.losePower()
      log = await bench.open()
      t.match(log.images.newest(), { offset: i * 10, epoch: 1, image: Buffer.from(`state ${i}`) })
    }
    const images = bench.mount.list(folder).filter((name) => name.endsWith('.image'))
    t.ok(images.length <= 2, images.join())
  })

  t.test('the power goes at any operation of a write: the old one or the new one', async (t) => {
    for (let at = 1; at <= 8; at++) {
      for (let seed = 0; seed < 6; seed++) {
        let operations = -100
        let off = (): void => {}
        const gone = new Promise<void>((resolve) => (off = resolve))
        const bench = new Bench({
          seed: seed * 100 + at,
          onOperation: () => {
            if (++operations !== at) return undefined
            off()
            return 'powerOff'
          },
        })
        let log = await bench.open()
        await log.images.write(1, 1, Buffer.from('old'))
        bench.disk.settleAll()
        operations = 0
        const done = log.images.write(2, 1, Buffer.from('new')).then(
          () => true,
          () => gone.then(() => false),
        )
        const isDone = await Promise.race([done, gone.then(() => false)])
        operations = -100
        bench.losePower()
        log = await bench.open()
        const found = log.images.newest()?.image.toString()
        if (isDone ? found !== 'new' : found !== 'new' && found !== 'old')
          t.fail(`at ${at}, seed ${seed}: ${found}`)
      }
    }
    t.pass('all')
  })

  t.test('a damaged one is passed over, kept and reported', async (t) => {
    const bench = new Bench()
    const log = await bench.open()
    await log.images.write(7, 2, Buffer.from('good'))
    const [name = ''] = bench.mount.list(folder).filter((one) => one.endsWith('.image'))
    const copy = bench.disk.bytesOf(`${folder}/${name}`)
    await log.images.write(9, 2, Buffer.from('later'))
    bench.mount.open(`${folder}/${name}`, 'create').write([copy], 0)
    const newest = `${folder}/00000000000000000009-2.image`
    bench.disk.damage(newest, (bytes) => bytes.fill(0, 26, 27))
    t.match(log.images.newest(), { offset: 7, image: Buffer.from('good') })
    t.ok(bench.mount.stat(`${newest}.damaged`))
    t.match(bench.events.at(-1), { event: 'log.image.damaged', level: 'error', offset: 9 })
    bench.disk.damage(`${folder}/${name}`, (bytes) => bytes.subarray(0, 10))
    t.equal(log.images.newest(), null)
  })
})

t.test('retention', async (t) => {
  const hour = 3_600_000
  const segment = (baseOffset: number, bytes: number, lastAppendMs: number): SegmentSummary => ({
    baseOffset,
    endOffset: baseOffset + 10,
    bytes,
    lastAppendMs,
    // Timestamps of clients decide nothing.
    maxTimestamp: baseOffset % 20 === 0 ? 8_000_000_000_000 : 0,
  })
  const segments = [
    segment(0, 100, 1 * hour),
    segment(10, 100, 2 * hour),
    segment(20, 100, 3 * hour),
    segment(30, 50, 4 * hour),
  ]
  const forever = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY }
  const start = (limits: Partial<typeof forever>, nowMs: number, highWatermark = 40, from = 0): number =>
    retentionStart(segments, { ...forever, ...limits }, nowMs, highWatermark, from)

  t.equal(start({}, 1000 * hour), 0, 'no limit')
  t.equal(start({ retentionMs: hour }, 3.5 * hour), 20, 'by when the broker appended')
  t.equal(start({ retentionMs: hour }, 2 * hour), 0, 'exactly the limit is not beyond it')
  t.equal(start({ retentionMs: hour }, 100 * hour), 40, 'all of it, the one being written too')
  t.equal(start({ retentionMs: hour }, 100 * hour, 25), 20, 'never above the high watermark')
  t.equal(start({ retentionMs: hour }, 100 * hour, 0), 0)
  t.equal(start({ retentionBytes: 350 }, 0), 0, 'as much as is allowed')
  t.equal(start({ retentionBytes: 349 }, 0), 0, 'the rest would be below the limit')
  t.equal(start({ retentionBytes: 250 }, 0), 10)
  t.equal(start({ retentionBytes: 0 }, 0), 40)
  t.equal(start({ retentionBytes: 150, retentionMs: hour }, 2.5 * hour), 20, 'whichever asks for more')
  t.equal(start({ retentionMs: hour }, 3.5 * hour, 40, 25), 25, 'never back')
  t.equal(start({ retentionMs: hour }, -100 * hour), 0, 'a clock that jumped back deletes nothing')
  t.equal(retentionStart([], forever, 0, 0, 7), 7)
})

t.test('the index: blocks, searches, truncation, damage', async (t) => {
  const disk = new SimDisk()
  const mount = disk.mount()
  const files = new FilePool({ disk: mount, openMax: 2 })
  const path = '/index'
  const count = 1700
  const make = (): SegmentIndex => {
    mount.remove(path)
    const index = new SegmentIndex(files.open(path, 'create'), 77, true)
    for (let i = 0; i < count; i++) index.append(i * 3, i * 100, Math.floor(i / 10))
    return index
  }
  const check = (index: SegmentIndex, entries: number): void => {
    t.equal(index.count, entries)
    for (const i of [0, 1, 511, 512, 513, 1023, 1024, entries - 1]) {
      if (i >= entries) continue
      t.same(
        [index.relativeOffset(i), index.position(i), index.timestampBefore(i)],
        [i * 3, i * 100, Math.floor(i / 10)],
      )
      t.same(
        [index.floorOfOffset(i * 3), index.floorOfOffset(i * 3 + 2), index.floorOfPosition(i * 100 + 99)],
        [i, i, i],
      )
    }
    t.equal(index.floorOfOffset(1_000_000), entries - 1)
    t.equal(index.floorOfTime(50), Math.min(499, entries - 1), 'the last entry before which all is older')
    t.equal(index.floorOfTime(0), -1)
  }
  const index = make()
  check(index, count)
  index.flush()
  check(new SegmentIndex(files.open(path, 'write'), 77, false), count)
  index.flush()
  index.append(count * 3, count * 100, 170)
  index.truncate((count - 1) * 3)
  for (const entries of [1600, 1537, 1536, 1025, 600, 512, 3]) {
    index.truncate(entries * 3 - 1)
    check(index, entries)
    index.flush()
    check(new SegmentIndex(files.open(path, 'write'), 77, false), entries)
  }
  index.truncate(0)
  t.equal(index.count, 1, 'the entry at the offset stays')
  make().flush()
  for (const at of [0, 8000, 8195, 20_000, 27_210]) {
    make().flush()
    disk.damage(path, (bytes) => bytes.fill(0x5a, at, at + 1))
    t.throws(() => {
      const damaged = new SegmentIndex(files.open(path, 'write'), 77, false)
      for (let i = 0; i < damaged.count; i++) damaged.position(i)
    }, IndexDamaged)
  }
  make().flush()
  t.throws(
    () => new SegmentIndex(files.open(path, 'write'), 78, false).count,
    IndexDamaged,
    'of another segment',
  )
  disk.damage(path, (bytes) => bytes.subarray(0, 8200))
  t.throws(() => new Entries(files.open(path, 'write'), 16, 77, false).count, IndexDamaged, 'cut')
})

t.test('bytes between two offsets: exact near the end, where a consumer waits for more', async (t) => {
  const bench = new Bench({
    settings: { segmentBytesMax: 3000, indexIntervalBytes: 500 },
    warmBytes: 1 << 20,
  })
  const log = await bench.open()
  startEpoch(log)
  const sizes: number[] = []
  for (let i = 0; i < 100; i++) sizes.push(append(log, { size: 10 + (i % 7) * 13 }).length)
  await flush(log)
  const sum = (from: number, to: number): number => sizes.slice(from, to).reduce((all, size) => all + size, 0)
  for (let from = 0; from <= 100; from += 3) {
    for (let to = from; to <= 100; to += 7) {
      if (log.bytesBetween(from, to) !== sum(from, to)) t.fail(`${from} to ${to}`)
    }
    t.equal(log.bytesBetween(from, 1000), sum(from, 100), 'up to what is written')
  }
  t.equal(log.bytesBetween(100, 100), 0)
  t.equal(log.bytesBetween(60, 20), 0)
})

t.test('a log closes when the image that is being written is there', async (t) => {
  let release = (): void => {}
  const isHeld = new Promise<void>((resolve) => (release = resolve))
  const bench = new Bench({
    device: ({ kind, path }) => (kind === 'sync' && path.includes('.image') ? isHeld : Promise.resolve()),
  })
  const log = await bench.open()
  startEpoch(log)
  append(log, { count: 5 })
  await flush(log)
  const writing = log.images.write(5, 1, Buffer.from('state'))
  let isClosed = false
  const closing = log.close().then(() => {
    isClosed = true
  })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.equal(isClosed, false)
  release()
  await Promise.all([writing, closing])
  t.match((await bench.open()).images.newest(), { offset: 5 })
})

t.test('a snapshot that is cut and written again while it waits for its sync', async (t) => {
  for (let steps = 0; steps < 20; steps++) {
    const bench = new Bench({ openMax: 2 })
    bench.mount.mkdir(folder)
    const options = { disk: bench.mount, files: bench.files, folder }
    const snapshots = new ProducerSnapshots(options, [], 0)
    const others = ['a', 'b'].map((name) => bench.files.open(`${folder}/${name}`, 'create'))
    snapshots.write({ offset: 7, epoch: 1, entries: [] })
    for (const file of others) file.write([Buffer.alloc(10)], 0)
    const synced = Promise.all([others[0]?.sync(), snapshots.sync()])
    snapshots.removeAbove(0)
    for (let i = 0; i < steps; i++) await null
    snapshots.write({ offset: 7, epoch: 2, entries: [] })
    await synced
    await snapshots.sync()
    t.equal(snapshots.newest(10, () => 2)?.offset, 7, `after ${steps} steps`)
  }
})
