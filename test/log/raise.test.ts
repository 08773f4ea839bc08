/** Between any two steps of a raise of the start others cut the log and append to it. */
import t from 'tap'
import type { Log } from '../../src/log/log.ts'
import { append, Bench, flush, folder, readAll, startEpoch } from './fixture.ts'

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

/** A log whose journal is mostly history when its start is raised to the last record. */
async function old(bench: Bench): Promise<Log> {
  const log = await bench.open()
  while ((bench.mount.stat(`${folder}/journal`)?.size ?? 0) < 5000) {
    startEpoch(log)
    append(log)
    await flush(log)
  }
  return log
}

t.test('a cut while the journal is written anew reaches no file before the barrier is lower', async (t) => {
  for (let steps = 0; steps < 20; steps++) {
    let isRenamed = false
    const bench = new Bench({
      onOperation: ({ kind, path }) => {
        isRenamed ||= kind === 'rename' && path.endsWith('/journal')
        return undefined
      },
    })
    const log = await old(bench)
    const { end, endPosition } = log

    void log.raiseStart(end - 1).catch(() => {}) // the process ends before it does
    for (let i = 0; i < steps; i++) await null
    startEpoch(log)
    append(log)
    log.write()
    log.truncate(endPosition - 2)
    while (!isRenamed) await null
    bench.kill()

    const again = await bench.open()
    t.ok(again.end >= end - 1, `after ${steps} steps`)
    await again.close()
  }
})

t.test('what is appended while the journal is written anew is kept', async (t) => {
  for (let steps = 0; steps < 20; steps++) {
    const bench = new Bench()
    const log = await old(bench)
    const { end, lastEpoch } = log

    const raised = log.raiseStart(end - 1)
    for (let i = 0; i < steps; i++) await null
    startEpoch(log)
    append(log)
    log.write()
    await raised
    await flush(log)

    bench.kill()
    const again = await bench.open()
    t.match(
      (await readAll(again)).map(({ offset, epoch }) => [offset, epoch]),
      [
        [end - 1, lastEpoch],
        [end, lastEpoch + 1],
      ],
      `after ${steps} steps`,
    )
    await again.close()
  }
})
