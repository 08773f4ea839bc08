/**
 * A crash may leave a segment in which not one batch is whole: its bytes go, and the operator hears of it.
 */
import t from 'tap'
import type { Log } from '../../src/log/log.ts'
import { append, Bench, flush, folder, readAll, segmentPath, startEpoch } from './fixture.ts'

t.test('a segment whose first batch is torn is cut aloud', async (t) => {
  const bench = new Bench()
  const log = await bench.open()
  startEpoch(log)
  await flush(log)
  append(log, { size: 400 })
  log.write()
  bench.kill()
  bench.disk.damage(segmentPath(0), (bytes) => bytes.subarray(0, 100))
  bench.events.length = 0
  const again = await bench.open()
  t.equal(again.end, 0)
  t.match(
    bench.events.filter(({ event }) => event === 'log.tail.cut'),
    [{ file: segmentPath(0), position: 0, bytes: 100, offset: 0, message: /cut 100 torn bytes at 0: short/ }],
  )
})

t.test('of a log that lost everything nothing is left behind what is written anew', async (t) => {
  const bench = new Bench()
  const log = await bench.open()
  startEpoch(log)
  append(log, { size: 400 })
  log.write()
  bench.kill()
  bench.disk.damage(segmentPath(0), (bytes) => Buffer.alloc(bytes.length))
  bench.disk.damage(`${folder}/journal`, () => Buffer.alloc(0))
  const again = await bench.open()
  startEpoch(again)
  append(again)
  append(again, { size: 1500 }) // begins a segment
  await flush(again)
  t.equal(again.segments.length, 2)
  bench.kill()
  t.equal((await bench.open()).end, 2)
})

t.test('a segment that lost all of its batches does not take its successor along when it goes', async (t) => {
  /** Two segments; of the second nothing is whole. */
  const torn = async (): Promise<{ bench: Bench; log: Log; end: number }> => {
    const bench = new Bench({ settings: { segmentMs: 1000 } })
    const log = await bench.open()
    startEpoch(log)
    while (log.segments.length < 2) {
      append(log, { size: 400 })
      if (log.end < 4) await flush(log)
      else log.write()
    }
    const end = log.segments[1]?.baseOffset ?? 0
    bench.kill()
    bench.disk.damage(segmentPath(end), (bytes) => bytes.subarray(0, 100))
    const again = await bench.open()
    t.equal(again.end, end)
    t.ok(bench.events.some(({ event, file }) => event === 'log.tail.cut' && file === segmentPath(end)))
    return { bench, log: again, end }
  }
  const isWhole = async ({ bench, end }: { bench: Bench; end: number }): Promise<void> => {
    bench.kill()
    const log = await bench.open()
    t.match(
      (await readAll(log)).map(({ value }) => value),
      [`v${end}`],
    )
    await log.close()
  }

  t.test('it was sealed by age', async (t) => {
    const { bench, log, end } = await torn()
    await bench.clock.advance(5000)
    log.maybeRoll()
    append(log)
    await flush(log)
    await log.raiseStart(end)
    t.equal((await readAll(log)).length, 1)
    await isWhole({ bench, end })
  })

  t.test('it goes while something is written', async () => {
    for (let steps = 0; steps < 60; steps++) {
      const { bench, log, end } = await torn()
      const raised = log.raiseStart(end)
      for (let i = 0; i < steps; i++) await null
      append(log)
      log.write()
      await raised
      await flush(log)
      await isWhole({ bench, end })
    }
  })
})
