/** Between any two steps of a raise of the start others cut the log and append to it. */
import t from 'tap'
import { append, Bench, flush, readAll, startEpoch } from './fixture.ts'

t.test('a cut in the middle of a raise takes nothing that is appended afterwards', async (t) => {
  for (let steps = 0; steps < 40; steps++) {
    const bench = new Bench()
    const log = await bench.open()
    startEpoch(log)
    while (log.segments.length < 3) {
      append(log, { size: 400 })
      await flush(log)
    }
    const [, second, third] = log.segments.map(({ baseOffset }) => baseOffset) as [number, number, number]

    const raised = log.raiseStart(second)
    for (let i = 0; i < steps; i++) await null
    // What comes next begins a segment of the same name as the one that is cut.
    log.truncate(log.positionOf(third))
    startEpoch(log)
    append(log, { size: 410 })
    log.write()
    await raised
    await flush(log)

    bench.kill()
    const again = await bench.open()
    t.match(
      (await readAll(again)).map(({ offset, epoch }) => [offset, epoch]),
      [...Array.from({ length: third - second }, (_, i) => [second + i, 1]), [third, 2]],
      `after ${steps} steps`,
    )
    await again.close()
  }
})
