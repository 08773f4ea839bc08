/**
 * What a log is after damage: the longest sound prefix when the damage is past the barrier, refused when it
 * is below.
 */
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { append, Bench, batchAt, flush, folder, readAll, segmentPath, startEpoch } from './fixture.ts'

/** A log of one segment, and where its last batches begin. */
async function threeLast(
  indexIntervalBytes = 150,
): Promise<{ bench: Bench; file: string; positions: number[]; offsets: number[] }> {
  const bench = new Bench({ settings: { segmentBytesMax: 1 << 20, indexIntervalBytes } })
  const log = await bench.open()
  startEpoch(log)
  const positions: number[] = []
  const offsets: number[] = []
  for (let i = 0; i < 12; i++) {
    positions.push(log.sizeBytes)
    offsets.push(log.end)
    append(log, { count: 1 + (i % 3), size: 20 + i })
    log.write()
  }
  positions.push(log.sizeBytes)
  offsets.push(log.end)
  return { bench, file: segmentPath(0), positions, offsets }
}

/** How many batches are whole when the file ends at `size`. */
function wholeBefore(positions: readonly number[], size: number): number {
  return positions.filter((position) => position <= size).length - 1
}

t.test('a log cut at every byte of its last three batches', async (t) => {
  const { bench, file, positions, offsets } = await threeLast()
  const whole = bench.disk.bytesOf(file)
  const from = positions[9] ?? 0
  let failures = 0
  for (let size = from; size <= whole.length; size++) {
    bench.kill()
    bench.disk.damage(file, () => whole.subarray(0, size))
    const log = await bench.open()
    const batches = wholeBefore(positions, size)
    const end = offsets[batches]
    const records = await readAll(log)
    const isRight =
      log.end === end &&
      log.sizeBytes === positions[batches] &&
      bench.mount.stat(file)?.size === positions[batches] &&
      records.length === end &&
      log.durablePosition === log.endPosition
    if (!isRight) failures++
    await log.close()
    // The next round is a crash again: without what this one has left.
    for (const name of ['clean', 'barrier']) bench.mount.remove(`${folder}/${name}`)
  }
  t.equal(failures, 0, `${whole.length - from + 1} lengths`)
  t.ok(bench.events.some(({ event }) => event === 'log.tail.cut'))
})

t.test('each bit of the last batch flipped', async (t) => {
  const { bench, file, positions, offsets } = await threeLast()
  const whole = bench.disk.bytesOf(file)
  const last = positions[11] ?? 0
  let failures = 0
  for (let bit = last * 8; bit < whole.length * 8; bit++) {
    bench.kill()
    const flipped = Buffer.from(whole)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    bench.disk.damage(file, () => flipped)
    const log = await bench.open()
    const records = await readAll(log)
    if (log.end !== offsets[11] || records.length !== log.end || log.sizeBytes !== last) failures++
    await log.close()
    for (const name of ['clean', 'barrier']) bench.mount.remove(`${folder}/${name}`)
  }
  t.equal(failures, 0, `${(whole.length - last) * 8} bits`)
})

t.test('the same damage below the barrier is refused, and nothing is touched', async (t) => {
  for (const how of ['after a crash', 'after a clean close'] as const) {
    // A clean open reads from the last index entry on: this far apart, that is all of it.
    const { bench, file, positions } = await threeLast(1 << 20)
    const log = await bench.open()
    await flush(log)
    if (how === 'after a clean close') await log.close()
    const whole = bench.disk.bytesOf(file)
    const from = positions[9] ?? 0
    let failures = 0
    let attempts = 0
    const tryIt = async (damaged: Buffer): Promise<void> => {
      attempts++
      bench.kill()
      bench.disk.damage(file, () => damaged)
      const before = bench.contents()
      const refused = await bench.open().then(
        () => null,
        (error: unknown) => error,
      )
      const isNamed =
        refused instanceof Faulted &&
        refused.door === 'bytes' &&
        /below the durable end/.test(refused.message)
      if (!isNamed || JSON.stringify(before) !== JSON.stringify(bench.contents())) failures++
    }
    for (let size = from; size < whole.length; size += 3) await tryIt(whole.subarray(0, size))
    for (let bit = from * 8; bit < whole.length * 8; bit += 7) {
      const flipped = Buffer.from(whole)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await tryIt(flipped)
    }
    t.equal(failures, 0, `${how}: ${attempts} damages`)
    bench.kill()
    bench.disk.damage(file, () => whole)
    const again = await bench.open()
    t.equal(again.end, 24, `${how}: undone, it opens`)
    t.equal((await readAll(again)).length, 24)
  }
})

/** A closed log of several segments, as files. */
async function several(settings = {}): Promise<{ bench: Bench; bases: number[]; end: number }> {
  const bench = new Bench({ settings: { indexIntervalBytes: 300, ...settings } })
  const log = await bench.open()
  startEpoch(log)
  for (let i = 0; i < 120; i++) {
    append(log, { count: 1 + (i % 2), size: 30, timestamp: 1000 + ((i * 37) % 400) })
    if (i % 10 === 0) await flush(log)
  }
  await flush(log)
  const bases = log.segments.map(({ baseOffset }) => baseOffset)
  const { end } = log
  await log.close()
  return { bench, bases, end }
}

/** Everything a log can be asked, by brute force where that is possible. */
async function answers(log: Awaited<ReturnType<Bench['open']>>): Promise<unknown> {
  const times = []
  for (let time = 990; time < 1420; time += 7)
    times.push((await log.offsetForTime(time, log.end))?.offset ?? null)
  const reads = []
  for (let offset = log.start; offset < log.end; offset += 3) {
    const read = await log.read(offset, { boundOffset: log.end, maxBytes: 400, minOne: true })
    reads.push([read.nextOffset, read.bytes])
  }
  return {
    records: await readAll(log),
    times,
    reads,
    max: await log.offsetOfMaxTimestamp(log.end),
    size: log.sizeBytes,
  }
}

t.test('indexes that are missing, cut, damaged or old', async (t) => {
  const original = await several()
  const log = await original.bench.open()
  const wanted = JSON.stringify(await answers(log))
  const records = await readAll(log)
  const times = []
  for (let time = 990; time < 1420; time += 7)
    times.push(records.find(({ timestamp }) => timestamp >= time)?.offset ?? null)
  t.same(
    (JSON.parse(wanted) as { times: unknown }).times,
    times,
    'look-ups by time agree with a search of all',
  )
  await log.close()

  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['cut', (bytes) => bytes.subarray(0, bytes.length - 5)],
    ['older', (bytes) => bytes.subarray(0, 0)],
    ['zeros', (bytes) => bytes.fill(0)],
    ['one bit', (bytes) => bytes.fill((bytes[9] ?? 0) ^ 1, 9, 10)],
    ['of another segment', () => original.bench.disk.bytesOf(segmentPath(original.bases[3] ?? 0, '.index'))],
  ]
  for (const [name, damage] of damages) {
    for (const isOpen of [false, true]) {
      for (const how of ['clean', 'crash'] as const) {
        const { bench, bases } = await several()
        if (how === 'crash') bench.mount.remove(`${folder}/clean`)
        const early = isOpen ? await bench.open() : null
        for (const path of bases.map((base) => segmentPath(base, '.index'))) {
          if (bench.mount.stat(path) !== null) bench.disk.damage(path, damage)
        }
        const again = early ?? (await bench.open())
        t.ok(
          JSON.stringify(await answers(again)) === wanted,
          `${name}, ${isOpen ? 'while open' : 'before opening'}, ${how}`,
        )
        await again.close()
      }
    }
  }
  const { bench, bases } = await several()
  for (const base of bases) bench.mount.remove(segmentPath(base, '.index'))
  t.ok(JSON.stringify(await answers(await bench.open())) === wanted, 'missing')
})

t.test('indexes are not built again without need', async (t) => {
  const { bench } = await several({ segmentBytesMax: 4000 })
  const log = await bench.open()
  startEpoch(log)
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 10; i++) append(log, { size: 50 + 7 * round })
    await flush(log)
    log.truncate(log.endPosition - (round % 10))
    startEpoch(log)
    await answers(log)
  }
  await flush(log)
  await log.close()
  await answers(await bench.open())
  t.same(
    bench.events.map(({ event }) => event).filter((event) => event === 'log.index.rebuilt'),
    [],
  )
})

t.test('a clean opening does not read the log, and the marker goes with the first change', async (t) => {
  let bytes = 0
  const bench = new Bench({
    settings: { segmentBytesMax: 1 << 20 },
    onOperation: (operation) => {
      if (operation.kind === 'read') bytes += operation.bytes
      return undefined
    },
  })
  let log = await bench.open()
  startEpoch(log)
  for (let i = 0; i < 1000; i++) append(log, { size: 2000 })
  await flush(log)
  await log.close()
  bytes = 0
  log = await bench.open()
  t.ok(bytes < 32 * 1024, `${bytes} bytes read of 2 MB`)
  t.same(bench.events, [], 'nothing to report')
  t.ok(bench.mount.stat(`${folder}/clean`))
  await log.close()
  log = await bench.open()
  startEpoch(log)
  append(log)
  log.write()
  t.equal(bench.mount.stat(`${folder}/clean`), null)
  bench.kill()
  await bench.open()
  t.match(bench.events, [{ event: 'log.recovered' }])
})

t.test('what is missing or does not belong', async (t) => {
  const refused = async (
    what: string,
    damage: (of: Awaited<ReturnType<typeof several>>) => void,
  ): Promise<void> => {
    for (const how of ['clean', 'crash'] as const) {
      const made = await several()
      if (how === 'crash') made.bench.mount.remove(`${folder}/clean`)
      damage(made)
      const before = JSON.stringify(made.bench.contents())
      await t.rejects(made.bench.open(), Faulted, `${what}, ${how}`)
      t.equal(JSON.stringify(made.bench.contents()), before, 'nothing was touched')
    }
  }
  const at = (bases: number[], index: number): string => segmentPath(bases.at(index) ?? 0)
  await refused('the first segment', ({ bench, bases }) => bench.mount.remove(at(bases, 0)))
  await refused('a segment in the middle', ({ bench, bases }) => bench.mount.remove(at(bases, 4)))
  await refused('the last segment', ({ bench, bases }) => bench.mount.remove(at(bases, -1)))
  await refused('the end of a sealed segment', ({ bench, bases }) =>
    bench.disk.damage(at(bases, 2), (bytes) => bytes.subarray(0, -1)),
  )
  // A clean close is believed for these: only sizes are compared.
  await refused('the end of a sealed segment, changed', ({ bench, bases }) => {
    bench.mount.remove(`${folder}/clean`)

    bench.disk.damage(at(bases, 2), (bytes) => bytes.fill(9, bytes.length - 9))
  })
  await refused('the journal', ({ bench }) => bench.mount.remove(`${folder}/journal`))
  await refused('the journal, cut', ({ bench }) =>
    bench.disk.damage(`${folder}/journal`, (bytes) => bytes.subarray(0, 20)),
  )
  await refused('a torn tail and a barrier that is damaged', ({ bench, bases }) => {
    bench.mount.remove(`${folder}/clean`)
    bench.disk.damage(`${folder}/barrier`, (bytes) => bytes.fill(1))
    bench.disk.damage(at(bases, -1), (bytes) => bytes.subarray(0, -1))
  })
})

t.test('what is damaged and does no harm', async (t) => {
  const opens = async (
    what: string,
    damage: (of: Awaited<ReturnType<typeof several>>) => void,
    event?: string,
  ): Promise<void> => {
    const made = await several()
    damage(made)
    const log = await made.bench.open()
    t.equal(log.end, made.end, what)
    t.equal((await readAll(log)).length, log.end)
    if (event !== undefined)
      t.ok(
        made.bench.events.some((one) => one.event === event),
        event,
      )
    await log.close()
    t.equal((await made.bench.open()).end, made.end)
  }
  const crash = ({ bench }: { bench: Bench }): void => bench.mount.remove(`${folder}/clean`)
  await opens(
    'the marker of the clean close',
    ({ bench }) => bench.disk.damage(`${folder}/clean`, (bytes) => bytes.fill(3, 9, 10)),
    'log.recovered',
  )
  await opens('a barrier that is gone', (made) => {
    crash(made)
    made.bench.mount.remove(`${folder}/barrier`)
  })
  await opens(
    'a barrier that is damaged',
    (made) => {
      crash(made)
      made.bench.disk.damage(`${folder}/barrier`, (bytes) => bytes.fill(1))
    },
    'log.barrier.damaged',
  )
  await opens(
    'zeros behind the end, from space that was allocated and never written',
    (made) => {
      crash(made)
      made.bench.disk.damage(segmentPath(made.bases.at(-1) ?? 0), (bytes) =>
        Buffer.concat([bytes, Buffer.alloc(5000)]),
      )
    },
    'log.tail.cut',
  )
  await opens(
    'half a mark behind the journal',
    (made) => {
      crash(made)
      made.bench.disk.damage(`${folder}/journal`, (bytes) => Buffer.concat([bytes, bytes.subarray(0, 20)]))
    },
    'log.tail.cut',
  )
  await opens(
    'a segment that follows nothing',
    (made) => {
      crash(made)
      made.bench.mount.open(segmentPath(5000), 'create').write([batchAt(5000, 1)], 0)
    },
    'log.segment.aside',
  )
  await opens(
    'a sound batch of an epoch that a truncation took away',
    (made) => {
      crash(made)
      const path = segmentPath(made.bases.at(-1) ?? 0)
      made.bench.disk.damage(path, (bytes) =>
        Buffer.concat([bytes, batchAt(made.end, 0), batchAt(made.end + 1, 0)]),
      )
    },
    'log.tail.cut',
  )
  await opens('leftovers of what was being written aside', ({ bench }) => {
    for (const name of ['journal.tmp', 'barrier.tmp', '00000000000000000003-1.image.tmp']) {
      bench.mount.open(`${folder}/${name}`, 'create').write([Buffer.alloc(10)], 0)
    }
  })
})

t.test('what an opening has found is durable, if it is nothing, too', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const bench = new Bench({ seed })
    const log = await bench.open()
    startEpoch(log, 2)
    append(log)
    log.write()
    bench.disk.settleAll() // the kernel has written back what there was
    log.truncate(0)
    log.write()
    bench.kill()
    const again = await bench.open()
    const found = [again.endPosition, again.lastEpoch]
    bench.losePower()
    const last = await bench.open()
    t.same([last.endPosition, last.lastEpoch], found, `seed ${seed}`)
  }
})
