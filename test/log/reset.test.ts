/**
 * A log that is replaced by one that begins further on, and the power that goes at every operation meanwhile.
 */
import t from 'tap'
import type { DiskOperation } from '../../src/embedded/sim-disk.ts'
import type { Log, NewStart } from '../../src/log/log.ts'
import { append, Bench, flush, readAll, startEpoch } from './fixture.ts'

const disk = '11111111-2222-4333-8444-555555555555'
const start: NewStart = {
  offset: 100,
  position: 130,
  epoch: 7,
  start: 100,
  voters: { kind: 'voters', voters: [1, 2, 4], outgoing: [1, 2, 3], disks: ['', '', disk, '', '', ''] },
  producers: Buffer.alloc(0),
}

const range = (from: number, until: number): number[] =>
  Array.from({ length: until - from }, (_, i) => from + i)

async function filled(log: Log): Promise<void> {
  startEpoch(log, 3)
  for (let i = 0; i < 20; i++) {
    append(log, { count: 2, size: 60, producerId: 7, producerEpoch: 0, baseSequence: 2 * i })
  }
  await flush(log)
}

t.test('what was there is gone, what comes goes on from the new start', async (t) => {
  const bench = new Bench()
  let log = await bench.open()
  await filled(log)
  await log.reset(start)
  for (const how of ['now', 'after a loss of power', 'after a clean stop'] as const) {
    if (how === 'after a loss of power') bench.losePower()
    if (how === 'after a clean stop') await log.close()
    if (how !== 'now') log = await bench.open()
    t.match(
      log,
      { start: 100, end: 100, endPosition: 130, durablePosition: 130, lastEpoch: 7, segments: [] },
      how,
    )
    t.equal(log.epochBefore(130), 7, how)
    t.equal(log.producers.size, 0, how)
    t.match(
      log.marks(0, 999).map(({ mark }) => mark),
      [start.voters],
      how,
    )
  }
  startEpoch(log, 9)
  append(log, { count: 3 })
  await flush(log)
  t.equal(log.positionOf(100), 131)
  bench.losePower()
  log = await bench.open()
  t.match(log, { start: 100, end: 103, endPosition: 134 })
  await log.raiseStart(102)
  t.match(
    log.marks(0, 131).map(({ mark }) => mark.kind),
    ['voters', 'epochStart'],
  )
})

t.test('the old log may reach beyond the new start: it was another history', async (t) => {
  const bench = new Bench()
  let log = await bench.open()
  await filled(log)
  const near = { ...start, offset: 11, position: 13, start: 11 }
  await log.reset(near)
  bench.losePower()
  log = await bench.open()
  t.match(log, { start: 11, end: 11, endPosition: 13 })
})

t.test('the start may lie inside the first batch, before that has come and after', async (t) => {
  const bench = new Bench()
  let log = await bench.open()
  await filled(log)
  await log.reset({ ...start, start: 102 })
  for (const how of ['now', 'after a loss of power', 'after a clean stop'] as const) {
    if (how === 'after a loss of power') bench.losePower()
    if (how === 'after a clean stop') await log.close()
    if (how !== 'now') log = await bench.open()
    t.match(
      log,
      { start: 102, end: 100, endPosition: 130, base: { offset: 100, position: 130, epoch: 7 } },
      how,
    )
    await t.rejects(log.read(100, { boundOffset: 100, maxBytes: 1, minOne: true }), /not in/, how)
  }
  startEpoch(log, 8)
  for (let i = 0; i < 3; i++) append(log, { count: 4, producerId: 7, producerEpoch: 0, baseSequence: 4 * i })
  await flush(log)
  for (const how of ['now', 'after a loss of power', 'after a clean stop'] as const) {
    if (how === 'after a loss of power') bench.losePower()
    if (how === 'after a clean stop') await log.close()
    if (how !== 'now') log = await bench.open()
    t.match(log, { start: 102, end: 112, endPosition: 143, base: { offset: 100, position: 130 } }, how)
    t.equal(log.producers.size, 1, how)
    t.same(
      (await readAll(log)).map(({ offset }) => offset),
      range(102, 112),
      how,
    )
    t.equal((await log.offsetForTime(0, 112))?.offset, 102, how)
    await t.rejects(log.read(101, { boundOffset: 112, maxBytes: 1, minOne: true }), /not in/, how)
  }
  await log.raiseStart(103)
  await log.raiseStart(101)
  bench.losePower()
  log = await bench.open()
  t.match(log, { start: 103, end: 112, base: { offset: 100, position: 130 } }, 'raised in the same batch')
  log.truncate(log.base.position)
  t.match(log, { start: 103, end: 100, endPosition: 130 })
})

for (const [name, next] of [
  ['further on', start],
  ['inside a batch', { ...start, start: 102 }],
  // In the middle of a batch of the old log, which has another history.
  ['inside the old log', { ...start, offset: 11, position: 13, start: 12 }],
] as const)
  t.test(`the power goes at every operation: the old log or the new one, whole, ${name}`, async (t) => {
    const whole = `${next.start}: ${next.offset} to ${next.offset}`
    const outcomes = new Map<string, number>()
    for (let powerOffAt = 1; ; powerOffAt++) {
      let left = Number.POSITIVE_INFINITY
      const reads = new Set<DiskOperation['kind']>(['read', 'stat', 'list'] as DiskOperation['kind'][])
      let goOut = (): void => {}
      const isOut = new Promise<false>((resolve) => (goOut = () => resolve(false)))
      const bench = new Bench({
        seed: powerOffAt,
        onOperation: ({ kind }) => {
          if (reads.has(kind) || --left >= 0) return undefined
          goOut()
          return 'powerOff'
        },
      })
      let log = await bench.open()
      await filled(log)
      left = powerOffAt - 1
      // A dead process settles nothing.
      const resetting = log.reset(next).then(() => true)
      resetting.catch(() => {})
      const isDone = await Promise.race([isOut, resetting.catch(() => false)])
      left = Number.POSITIVE_INFINITY
      bench.losePower()
      log = await bench.open()
      const found = `${log.start}: ${log.base.offset} to ${log.end}`
      outcomes.set(found, (outcomes.get(found) ?? 0) + 1)
      if (!['0: 0 to 40', whole].includes(found)) t.fail(`at ${powerOffAt}: ${found}`)
      // What is left of the old log may be another history: nothing of it speaks for a producer.
      if (log.producers.size !== (found === '0: 0 to 40' ? 1 : 0)) {
        t.fail(`at ${powerOffAt}: ${found} knows ${log.producers.size} producers`)
      }
      if (isDone) {
        t.equal(found, whole)
        break
      }
    }
    t.ok(
      (outcomes.get('0: 0 to 40') ?? 0) > 1 && (outcomes.get(whole) ?? 0) > 1,
      JSON.stringify([...outcomes]),
    )
  })
