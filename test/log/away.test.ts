/** Writes that leave the event loop, and what happens to the log meanwhile. */
import t from 'tap'
import { release } from '../../src/base/buffer-pool.ts'
import { Faulted } from '../../src/base/errors.ts'
import type { DiskFault, DiskOperation } from '../../src/embedded/sim-disk.ts'
import type { Log } from '../../src/log/log.ts'
import { WritePace } from '../../src/log/write-pace.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'
import { append, Bench, batchAt, folder, readAll, segmentPath, startEpoch, votersMark } from './fixture.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A log all of whose batches are written off the loop, by a device that waits to be told. */
async function opened(options: ConstructorParameters<typeof Bench>[0] = {}) {
  const held: (() => void)[] = []
  const operations: DiskOperation[] = []
  const trouble: { fault: (operation: DiskOperation) => DiskFault | undefined } = { fault: () => undefined }
  const kinds = new Set(['write'])
  const isHeld = ({ kind, path }: DiskOperation): boolean => kinds.has(kind) && path.endsWith('.log')
  const bench = new Bench({
    leaveBytesMin: 1,
    onOperation: (operation) => {
      operations.push(operation)
      return trouble.fault(operation)
    },
    device: async (operation) => {
      if (isHeld(operation)) await new Promise<void>((resolve) => held.push(resolve))
    },
    ...options,
  })
  const log = await bench.open()
  let written = 0
  log.onWritten = () => written++
  startEpoch(log)
  return {
    bench,
    log,
    operations,
    trouble,
    /** How often the log has said that something was written. */
    said: () => written,
    /** The device goes on with what is under way: a write does so in two steps. */
    step: async () => {
      for (const go of held.splice(0)) go()
      await turn()
    },
    /** All that is under way, and what comes of it, is done. */
    land: async () => {
      for (let left = 100; left > 0; left--) {
        for (const go of held.splice(0)) go()
        await turn()
      }
    },
    holdsSyncs: () => void kinds.add('sync'),
  }
}

const values = async (log: Log): Promise<string[]> => (await readAll(log)).map(({ value }) => value)

t.test(
  'what is being written does not count and is not read; what comes meanwhile follows in one write',
  async (t) => {
    const { bench, log, operations, said, step, land } = await opened()
    append(log, { count: 3 })
    log.write()
    for (let i = 0; i < 3; i++) {
      append(log, { count: 2 })
      log.write()
    }
    t.equal(log.writtenPosition, 1, 'the mark')
    t.equal(log.sizeBytes, 0)
    t.same(await values(log), [])
    await step()
    t.ok((bench.mount.stat(segmentPath(0))?.size ?? 0) > 0, 'some of it is in the file')
    t.equal(log.writtenPosition, 1)
    t.same(await values(log), [])
    t.equal(said(), 0)
    await step()
    t.equal(log.writtenPosition, 4)
    t.same(await values(log), ['v0', 'v1', 'v2'])
    t.equal(said(), 1)
    await land()
    t.equal(log.writtenPosition, 10)
    t.equal((await values(log)).length, 9)
    t.equal(said(), 2)
    t.equal(operations.filter(({ kind, path }) => kind === 'write' && path.endsWith('.log')).length, 2)
    t.equal(await log.sync(), 10)
  },
)

t.test('a sync waits for what was appended before it, and for no more', async (t) => {
  const { bench, log, land, step } = await opened()
  append(log)
  log.write()
  append(log)
  const syncing = log.sync()
  let isOver = false
  void syncing.then(() => {
    isOver = true
  })
  let appended = 2
  for (; !isOver && appended < 50; appended++) {
    append(log)
    log.write()
    await step()
  }
  t.ok(appended < 20, `a steady flow of writes holds no sync up (${appended})`)
  const durable = await syncing
  t.ok(durable >= 3)
  t.equal(log.durablePosition, durable)
  bench.losePower()
  const again = await bench.open()
  t.ok(again.endPosition >= durable)
  await land()
})

t.test(
  'what is cut while it is being written comes off the file before anything else is written',
  async (t) => {
    for (const [name, position, kept] of [
      ['all of it, and of what was written before', 2, 1],
      ['all of it', 4, 3],
      ['its end', 6, 5],
      ['what waits behind it', 9, 8],
    ] as const) {
      for (const steps of [0, 1]) {
        const { bench, log, step, land } = await opened({ settings: { segmentBytesMax: 100_000 } })
        for (let i = 0; i < 3; i++) append(log)
        log.write()
        await land()
        for (let i = 0; i < 4; i++) append(log, { size: 100 })
        log.write()
        append(log)
        append(log)
        log.write()
        for (let i = 0; i < steps; i++) await step()
        log.truncate(position)
        t.equal(log.endPosition, position)
        startEpoch(log)
        append(log, { size: 30 })
        log.write()
        await land()
        const wanted = [...Array(kept + 1).keys()].map((offset) => `v${offset}`)
        t.same(await values(log), wanted, `${name}, after ${steps} steps`)
        t.equal(bench.mount.stat(segmentPath(0))?.size, log.sizeBytes, 'and nothing behind')
        await Promise.all([log.sync(), land()])
        bench.kill()
        t.same(await values(await bench.open()), wanted, 'also when it is opened again')
        t.notOk(bench.events.some(({ event }) => event === 'log.tail.cut'))
      }
    }
  },
)

t.test('a segment that is begun by a write that is cut goes', async (t) => {
  const { bench, log, step, land } = await opened({ settings: { segmentBytesMax: 300 } })
  append(log, { size: 200 })
  log.write()
  await land()
  append(log, { size: 200 })
  log.write()
  await step()
  t.ok(bench.mount.stat(segmentPath(1)))
  log.truncate(2)
  await land()
  t.equal(bench.mount.stat(segmentPath(1)), null)
  t.same(
    log.segments.map(({ baseOffset }) => baseOffset),
    [0],
  )
  startEpoch(log)
  append(log, { size: 200 })
  log.write()
  await Promise.all([land(), log.sync()])
  t.same(await values(log), ['v0', 'v1'])
  await log.close()
  t.same(await values(await bench.open()), ['v0', 'v1'])
})

t.test('a cut of durable bytes waits for the write and for the barrier', async (t) => {
  const { log, step, land, operations } = await opened()
  for (let i = 0; i < 4; i++) append(log)
  log.write()
  await Promise.all([log.sync(), land()])
  append(log)
  log.write()
  await step()
  const from = operations.length
  log.truncate(3)
  await turn()
  const changes = operations.slice(from).filter(({ kind }) => kind !== 'read')
  t.same(changes, [], 'no file is touched while it is under way')
  await land()
  const [barrier, cut] = ['barrier', '.log'].map((end) =>
    operations.findIndex(
      ({ kind, path }, i) =>
        i > from && path.endsWith(end) && kind === (end === '.log' ? 'truncate' : 'sync'),
    ),
  ) as [number, number]
  t.ok(barrier > from && cut > barrier, 'first the barrier is lower, then the file is shorter')
  t.same(await values(log), ['v0', 'v1'])
})

t.test('a crash while it is under way leaves what was written before, and a part that is cut', async (t) => {
  for (const end of ['kill', 'losePower'] as const) {
    for (const steps of [0, 1]) {
      const { bench, log, step, land } = await opened()
      for (let i = 0; i < 3; i++) append(log)
      log.write()
      await Promise.all([log.sync(), land()])
      for (let i = 0; i < 3; i++) append(log, { size: 40 })
      log.write()
      for (let i = 0; i < steps; i++) await step()
      bench[end]()
      const again = await bench.open()
      const found = await values(again)
      t.ok(found.length >= 3 && found.length < 6, `${found.length} after ${steps} steps`)
      t.same(found, [...Array(found.length).keys()].map((offset) => `v${offset}`)) // biome-ignore format: one check
    }
  }
})

t.test('the file of a segment that is made after the folder was synced keeps its name', async (t) => {
  for (let seed = 0; seed < 10; seed++) {
    const { bench, log, land, step, holdsSyncs } = await opened({
      seed,
      openMax: 2, // one is busy at a time
      settings: { segmentBytesMax: 200 },
    })
    append(log, { size: 150 })
    log.write()
    await Promise.all([log.sync(), land()])
    holdsSyncs()
    append(log, { size: 150 })
    log.write()
    const syncing = log.sync()
    await turn()
    append(log, { size: 150 })
    const other = bench.files.open('/data/other.log', 'create')
    other.write([Buffer.from('x')], 0)
    const busy = other.sync()
    for (let i = 0; i < 2; i++) await step()
    t.equal(
      log.writtenPosition,
      3,
      'the next segment waits for its turn, and the sync has no more to wait for',
    )
    await Promise.all([syncing, busy, land()])
    await Promise.all([log.sync(), land()])
    t.equal(log.durablePosition, 4)
    bench.losePower()
    const [again] = await Promise.all([bench.open(), land()])
    t.same(await values(again), ['v0', 'v1', 'v2'])
  }
})

t.test('a write that fails is final, and is told', async (t) => {
  const { bench, log, trouble, said, land, operations } = await opened()
  append(log)
  log.write()
  await Promise.all([log.sync(), land()])
  trouble.fault = ({ kind, path }) =>
    kind === 'write' && path.endsWith('.log') ? { code: 'ENOSPC', written: 5 } : undefined
  append(log)
  log.write()
  append(log)
  log.write()
  const before = said()
  await land()
  t.equal(said(), before + 1)
  t.match(log.fault, { name: 'Faulted', door: 'disk' })
  t.equal(log.writtenPosition, 2)
  t.throws(() => log.write(), log.fault as Faulted)
  await t.rejects(log.sync(), Faulted)
  t.same(await values(log), ['v0'], 'reads go on')
  const from = operations.length
  await log.close()
  t.notOk(operations.slice(from).some(({ kind }) => kind === 'write'))
  trouble.fault = () => undefined
  bench.kill()
  t.same(await values(await bench.open()), ['v0'])
})

t.test('a sync that fails while a write is under way: nothing is written after it', async (t) => {
  const { log, trouble, land, operations, step, holdsSyncs } = await opened()
  append(log)
  log.write()
  await Promise.all([log.sync(), land()])
  append(log)
  log.write()
  await step()
  await step()
  t.equal(log.writtenPosition, 3)
  holdsSyncs()
  trouble.fault = ({ kind, path }) => (kind === 'sync' && path.endsWith('.log') ? { code: 'EIO' } : undefined)
  const syncing = t.rejects(log.sync(), Faulted)
  await turn()
  append(log)
  log.write()
  append(log)
  await step()
  await syncing
  const from = operations.length
  await land()
  t.ok(operations.slice(from).filter(({ kind }) => kind === 'write').length <= 1, 'what had begun ends')
  t.equal(log.writtenPosition, 3)
  await log.close()
})

t.test('batches are used until they are in the file', async (t) => {
  const { bench, log, land } = await opened()
  const pool = new PoisonedBuffers()
  for (let offset = 0; offset < 5; offset++) {
    const made = batchAt(offset, 1)
    const bytes = pool.take(made.length)
    made.copy(bytes)
    log.append(bytes)
    log.write()
    release(bytes)
  }
  t.equal(pool.freeBytes, 0)
  await land()
  t.ok(pool.freeBytes > 0)
  t.same(await values(log), ['v0', 'v1', 'v2', 'v3', 'v4'])
  t.ok(bench.mount.stat(folder))
})

t.test('what has to be durable first, raises, rolls and closing wait for it', async (t) => {
  const { bench, log, land } = await opened({ settings: { segmentBytesMax: 300, segmentMs: 1 } })
  for (let i = 0; i < 6; i++) append(log, { size: 100 })
  log.write()
  await Promise.all([log.sync(), land()])
  append(log)
  log.write()
  bench.clock.jump(10)
  t.equal(log.maybeRoll(), false)
  log.appendMark(votersMark([1, 2]), 1)
  append(log)
  log.write()
  await Promise.all([log.raiseStart(4), land()])
  t.equal(bench.mount.stat(segmentPath(0)), null)
  append(log)
  log.write()
  await Promise.all([log.close(), land()])
  const again = await bench.open()
  t.equal(again.durablePosition, again.endPosition, 'a clean close')
  t.same(await values(again), ['v4', 'v5', 'v6', 'v7', 'v8'])
})

t.test('a steady run of slow writes keeps all of them away, a quick one or two do not', async (t) => {
  let nowMs = 0
  const clock = { monotonic: () => nowMs }
  const pace = new WritePace({ clock, bytesMin: 1000, slowMs: 5, shadowMs: 100, shadowMaxMs: 300 })
  const write = (bytes: number, ms: number): string => {
    const sinceMs = pace.nowMs()
    const leaves = pace.leaves(bytes)
    nowMs += ms
    if (leaves) pace.wroteAway(sinceMs)
    else pace.wrote(sinceMs)
    return leaves ? 'away' : 'here'
  }
  t.equal(write(999, 1), 'here')
  t.equal(write(1000, 1), 'away', 'the large leave')
  t.equal(write(1, 1), 'here')
  t.equal(write(1, 5), 'here', 'it was made to wait')
  t.equal(write(1, 30), 'away', 'as was this')
  for (let ms = 0; ms < 99; ms += 11) t.equal(write(1, 11), 'away', 'in the shadow')
  nowMs += 1
  for (const shadowMs of [200, 300, 300]) {
    nowMs += 50
    t.equal(write(1, 7), 'here', 'it was quick for long enough, but is slow again')
    nowMs += shadowMs - 2
    t.equal(write(1, 1), 'away')
    nowMs += 1
  }
  nowMs += 1000
  t.equal(write(1, 7), 'here')
  nowMs += 99
  t.equal(write(1, 1), 'away')
  t.equal(write(1, 1), 'here', 'quick for so long that it begins with a short one')
})
