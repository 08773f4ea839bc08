/** Idempotence as Kafka's ProducerAppendInfo and ProducerStateManager define it. */
import fc from 'fast-check'
import t from 'tap'
import { Producers } from '../../src/log/producers.ts'
import { append, Bench, batchAt, flush, folder, startEpoch } from './fixture.ts'

const options = { producerExpirationMs: 1000, producersMax: 1000 }

/** States over a log of one batch after the other; `send` appends if it may, and returns the verdict. */
class Sender {
  nowMs = 0
  offset = 0
  readonly producers: Producers

  constructor(bounds = options) {
    this.producers = new Producers(bounds, () => this.nowMs)
  }

  send(baseSequence: number, shape: { count?: number; epoch?: number; id?: number } = {}): unknown {
    const { count = 1, epoch = 0, id = 7 } = shape
    const bytes = batchAt(this.offset, 1, { count, producerId: id, producerEpoch: epoch, baseSequence })
    const verdict = this.producers.check(bytes)
    if (verdict === 'append') {
      this.producers.append(bytes, 0)
      this.offset += count
      return verdict
    }
    return 'refused' in verdict ? verdict.refused : verdict.baseOffset
  }
}

t.test('sequences follow each other, and what is sent again is recognised', async (t) => {
  const s = new Sender()
  t.equal(s.send(0, { count: 3 }), 'append')
  t.equal(s.send(3), 'append')
  t.equal(s.send(4, { count: 2 }), 'append')
  t.equal(s.send(7), 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'a gap')
  t.equal(s.send(6), 'append')
  t.equal(s.send(7), 'append')
  t.same(
    [s.send(0, { count: 3 }), s.send(3), s.send(4, { count: 2 }), s.send(6), s.send(7)],
    [0, 3, 4, 6, 7],
    'each of the last five',
  )
  t.equal(s.send(0, { count: 2 }), 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'the same start is not the same batch')
  t.equal(s.send(8), 'append')
  t.equal(s.send(0, { count: 3 }), 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'the sixth is forgotten')
  t.equal(s.send(3), 3)
})

t.test('an answer to a duplicate says where the first one lies', async (t) => {
  const s = new Sender()
  s.send(0, { count: 2 })
  s.send(2, { count: 3 })
  const again = batchAt(99, 1, { count: 3, producerId: 7, producerEpoch: 0, baseSequence: 2 })
  t.match(s.producers.check(again), { baseOffset: 2, lastOffset: 4, timestamp: 1004 })
})

t.test('sequences wrap at 2^31, also inside a batch', async (t) => {
  const s = new Sender()
  t.equal(s.send(2147483646), 'append', 'a producer that nobody knows may begin anywhere')
  t.equal(s.send(2147483647), 'append')
  t.equal(s.send(0), 'append')
  const wrapped = new Sender()
  wrapped.send(2147483640, { count: 5 })
  t.equal(wrapped.send(2147483645, { count: 5 }), 'append', 'from 2147483645 to 1')
  t.equal(wrapped.send(2147483645, { count: 5 }), 5, 'recognised')
  t.equal(wrapped.send(2), 'append')
})

t.test('epochs: an older one is fenced, a newer one begins with 0', async (t) => {
  const s = new Sender()
  s.send(0, { epoch: 3 })
  s.send(1, { epoch: 3 })
  t.equal(s.send(2, { epoch: 2 }), 'INVALID_PRODUCER_EPOCH')
  t.equal(s.send(2, { epoch: 4 }), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  t.equal(s.send(0, { epoch: 4 }), 'append')
  t.equal(
    s.send(0, { epoch: 3 }),
    'INVALID_PRODUCER_EPOCH',
    'what the old epoch sent is no duplicate any more',
  )
  t.equal(s.send(1, { epoch: 4 }), 'append')
})

t.test('who sends no producer id is not looked at', async (t) => {
  const s = new Sender()
  t.equal(s.send(-1, { id: -1, epoch: -1 }), 'append')
  t.equal(s.send(-1, { id: -1, epoch: -1 }), 'append')
  t.equal(s.producers.size, 0)
})

t.test('idle producers are forgotten, and so are the least recent beyond the bound', async (t) => {
  const s = new Sender({ producerExpirationMs: 1000, producersMax: 3 })
  s.send(0, { id: 1 })
  s.nowMs = 999
  t.equal(s.send(5, { id: 1 }), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  s.nowMs = 1000
  t.same(s.producers.list(), [])
  t.equal(s.send(5, { id: 1 }), 'append', 'expired: begins anywhere')
  t.equal(s.send(0, { id: 1 }), 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'and what it sent before is forgotten')
  for (const id of [2, 3, 4]) s.send(0, { id })
  t.same(
    s.producers.list().map(({ producerId }) => producerId),
    [2, 3, 4],
  )
  s.send(1, { id: 2 })
  s.send(0, { id: 5 })
  t.same(
    s.producers.list().map(({ producerId }) => producerId),
    [4, 2, 5],
  )
})

t.test('rolled back is the same as never happened', async (t) => {
  const batches = fc.array(
    fc.record({
      id: fc.integer({ min: 0, max: 6 }),
      epoch: fc.integer({ min: 0, max: 2 }),
      count: fc.integer({ min: 1, max: 3 }),
      isControl: fc.boolean(),
    }),
    { maxLength: 200, size: 'max' },
  )
  const property = fc.property(
    batches,
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
    (list, cuts) => {
      const bounds = { producerExpirationMs: 1000, producersMax: 4 }
      let log: Buffer[] = []
      let offset = 0
      const states = new Producers(bounds, () => 0)
      const add = (list_: typeof list): void => {
        for (const { id, epoch, count, isControl } of list_) {
          const bytes = batchAt(offset, 1, {
            count,
            producerId: id,
            producerEpoch: epoch,
            baseSequence: offset,
            isControl,
          })
          log.push(bytes)
          states.append(bytes, 0)
          offset += count
        }
      }
      add(list)
      for (const part of cuts) {
        const keep = Math.max(0, log.length - Math.floor(part * 40))
        const to = log.slice(0, keep).reduce((end, bytes) => end + bytes.readInt32BE(23) + 1, 0)
        if (!states.rollBack(to)) return
        log = log.slice(0, keep)
        offset = to
        const fresh = new Producers(bounds, () => 0)
        for (const bytes of log) fresh.append(bytes, 0)
        if (JSON.stringify([...states.entries()]) !== JSON.stringify([...fresh.entries()]))
          throw new Error('they differ')
        add(list.slice(0, 5))
      }
    },
  )
  const result = fc.check(property, { numRuns: 200 })
  t.equal(result.failed, false, result.failed ? `${fc.defaultReportMessage(result)}` : '200 histories')
})

t.test('further back than is remembered, the states are read from the log', async (t) => {
  const bench = new Bench({ settings: { segmentBytesMax: 6000 } })
  const log = await bench.open()
  startEpoch(log)
  const sequences = [0, 0, 0]
  const add = (id: number): void => {
    const baseSequence = sequences[id] ?? 0
    append(log, { producerId: id, producerEpoch: 0, baseSequence })
    sequences[id] = baseSequence + 1
  }
  for (let i = 0; i < 600; i++) {
    add(i % 3)
    if (i % 50 === 0) await flush(log)
  }
  await flush(log)
  t.ok(log.segments.length > 5)
  const lastOf = (): number[] => log.producers.list().map(({ lastSequence }) => lastSequence)
  t.same(lastOf(), [199, 199, 199])
  for (const position of [500, 130, 31]) {
    log.truncate(position) // one mark before the records
    const kept = position - 1
    const wanted = [0, 1, 2].map((id) => Math.ceil((kept - id) / 3) - 1)
    t.same(
      log.producers
        .list()
        .map(({ producerId, lastSequence }) => [producerId, lastSequence])
        .sort(),
      wanted.map((last, id) => [id, last]),
    )
  }
  await flush(log)
  const known = log.producers.list()
  t.equal(known.length, 3)
  await log.close()
  const again = await bench.open()
  t.same(again.producers.list(), known, 'the marker of the close has them')
})

t.test('they survive: a clean close, a crash, the loss of their snapshots', async (t) => {
  const bench = new Bench()
  let log = await bench.open()
  startEpoch(log)
  for (let i = 0; i < 60; i++)
    append(log, { producerId: i % 4, producerEpoch: 1, baseSequence: Math.floor(i / 4) })
  await flush(log)
  const wanted = JSON.stringify(log.producers.list())
  await log.close()
  bench.kill()
  log = await bench.open()
  t.equal(JSON.stringify(log.producers.list()), wanted, 'after a close')
  startEpoch(log)
  append(log, { producerId: 9, producerEpoch: 0, baseSequence: 5 })
  await flush(log)
  const more = JSON.stringify(log.producers.list())
  bench.losePower()
  log = await bench.open()
  t.equal(JSON.stringify(log.producers.list()), more, 'after a loss of power')
  for (const name of bench.mount.list(folder))
    if (name.endsWith('.producers')) bench.disk.damage(`${folder}/${name}`, (bytes) => bytes.fill(1, 10, 20))
  bench.kill()
  log = await bench.open()
  t.equal(JSON.stringify(log.producers.list()), more, 'from the log alone')
})

t.test('who has sent nothing since the log was trimmed is known still', async (t) => {
  const ends = {
    power: (bench: Bench) => bench.losePower(),
    'kill, then power': async (bench: Bench) => {
      bench.kill()
      await bench.open()
      bench.losePower()
    },
  }
  for (const [how, end] of Object.entries(ends)) {
    for (let seed = 1; seed <= 20; seed++) {
      const bench = new Bench({ seed })
      const log = await bench.open()
      startEpoch(log)
      const quiet = append(log, { producerId: 7, producerEpoch: 0, baseSequence: 0 })
      let sequence = 0
      const fill = async (segments: number): Promise<void> => {
        const wanted = (log.segments.at(-1)?.baseOffset ?? 0) + 1
        for (let count = 0, last = wanted - 1; count < segments; ) {
          append(log, { producerId: 8, producerEpoch: 0, baseSequence: sequence++ })
          await flush(log)
          const now = log.segments.at(-1)?.baseOffset ?? 0
          if (now !== last) count++
          last = now
        }
      }
      // What the kernel has written back by itself: the barrier need not be among it.
      await fill(2)
      bench.disk.settleAll()
      await log.raiseStart(log.segments[1]?.baseOffset ?? 0)
      await fill(4)
      await end(bench)
      const again = await bench.open()
      const verdict = again.producers.check(quiet)
      t.match(verdict, { baseOffset: 0 }, `${how}, seed ${seed}`)
      const back = again.positionOf(again.start)
      again.truncate(back + 1)
      t.match(again.producers.check(quiet), { baseOffset: 0 }, `${how}, seed ${seed}: cut far back`)
    }
  }
})

t.test('snapshots that a crash took are there again before the log is trimmed', async (t) => {
  for (let seed = 1; seed <= 10; seed++) {
    const bench = new Bench({ seed })
    const log = await bench.open()
    startEpoch(log)
    const quiet = append(log, { producerId: 7, producerEpoch: 0, baseSequence: 0 })
    for (let i = 0; i < 80; i++) append(log, { producerId: 8, producerEpoch: 0, baseSequence: i })
    await flush(log)
    bench.disk.settleAll()
    bench.kill()
    for (const name of bench.mount.list(folder))
      if (name.endsWith('.producers')) bench.mount.remove(`${folder}/${name}`)
    const again = await bench.open()
    t.ok(again.segments.length > 4)
    await again.raiseStart(again.segments[1]?.baseOffset ?? 0)
    bench.losePower()
    const last = await bench.open()
    t.ok(last.start > 0)
    t.match(last.producers.check(quiet), { baseOffset: 0 }, `seed ${seed}`)
  }
})
