/** Bytes that changed on the disk while no broker looked: found when they are first read, or when the log is examined, never served. */
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { CheckedRanges } from '../../src/log/checked-ranges.ts'
import type { Log } from '../../src/log/log.ts'
import { append, Bench, flush, readAll, segmentPath, startEpoch } from './fixture.ts'

/** A log of several segments, closed in good order: its next start looks at little. */
async function closed(): Promise<Bench> {
  const bench = new Bench()
  const log = await bench.open()
  startEpoch(log)
  for (let i = 0; i < 60; i++) append(log, { count: 2, size: 40 })
  await flush(log)
  await log.close()
  bench.disk.settleAll()
  return bench
}

async function examineAll(log: Log): Promise<number> {
  let bytes = 0
  for (;;) {
    const step = await log.examine(400)
    if (step === 0) return bytes
    bytes += step
  }
}

const isDamage = (error: unknown): boolean => error instanceof Faulted && error.door === 'bytes'

t.test('each bit of a batch in an old segment', async (t) => {
  const bench = await closed()
  const path = segmentPath(0)
  const whole = bench.disk.bytesOf(path)
  const bits = [155 * 8, 310 * 8] as const // the second batch
  let found = 0
  let tried = 0
  for (let at = bits[0]; at < bits[1]; at += 3) {
    tried++
    bench.disk.damage(path, (bytes) => {
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7))
      return bytes
    })
    const log = await bench.open()
    const outcome = await readAll(log).catch((error: unknown) => error)
    const from = await log
      .read(2, { boundOffset: log.end, maxBytes: 1, minOne: true })
      .catch((error: unknown) => error)
    const examined = await examineAll(log).catch((error: unknown) => error)
    if (isDamage(outcome) && isDamage(from) && isDamage(examined)) found++
    else t.fail(`bit ${at}: taken as if nothing were wrong`)
    await log.close()
    bench.disk.damage(path, () => Buffer.from(whole))
  }
  t.equal(found, tried, 'all of them, those of offset and epoch too')
})

t.test('what nobody reads is found by examining; what is sound is looked at once', async (t) => {
  const bench = await closed()
  const log = await bench.open()
  const size = log.sizeBytes
  t.ok((await readAll(log, 70)).length > 0, 'somebody reads the end of it')
  const examined = await examineAll(log)
  t.ok(examined > size / 2 && examined < size, `${examined} of ${size} bytes were left`)
  t.equal(await log.examine(400), 0)
  for (let i = 0; i < 20; i++) append(log, { count: 2 })
  await flush(log)
  t.equal(await log.examine(400), 0, 'what this process wrote was checked when it came')
  t.equal((await readAll(log)).length, log.end)
  await log.close()
})

t.test('a log that is cut and written again while it is examined', async (t) => {
  const bench = await closed()
  const log = await bench.open()
  const bytes = await log.examine(400)
  t.ok(bytes > 0)
  log.truncate(log.positionOf(50))
  startEpoch(log)
  for (let i = 0; i < 30; i++) append(log, { count: 2 })
  await flush(log)
  await examineAll(log)
  t.equal((await readAll(log)).length, log.end)
  await log.close()
})

t.test('ranges that were looked at', (t) => {
  const random = new SeededRandom(3)
  for (let round = 0; round < 50; round++) {
    const ranges = new CheckedRanges(1000)
    const seen = new Set<number>()
    for (let step = 0; step < 40; step++) {
      const from = random.below(200)
      const to = from + 1 + random.below(10)
      ranges.add(from, to)
      for (let offset = from; offset < to; offset++) seen.add(offset)
    }
    for (let offset = 0; offset < 220; offset++) {
      let gap = offset
      while (seen.has(gap)) gap++
      if (ranges.gapFrom(offset) !== gap) t.fail(`${offset}: ${ranges.gapFrom(offset)}, not ${gap}`)
    }
  }
  const few = new CheckedRanges(2)
  few.add(0, 10)
  few.add(20, 21)
  few.add(30, 40)
  t.same(
    [few.covers(0, 10), few.covers(20, 21), few.covers(30, 40)],
    [true, false, true],
    'the shortest goes',
  )
  t.end()
})
