/** A disk that fails, fills up or is slow, and what happens to the log meanwhile. */
import t from 'tap'
import { Faulted, Refused } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { DiskFault, DiskOperation } from '../../src/embedded/sim-disk.ts'
import type { Log } from '../../src/log/log.ts'
import {
  append,
  Bench,
  batchAt,
  flush,
  folder,
  readAll,
  recordsOf,
  segmentPath,
  startEpoch,
} from './fixture.ts'

/** A bench whose disk does what the test says at the moment. */
function troubled(options: ConstructorParameters<typeof Bench>[0] = {}) {
  const trouble: {
    fault: (operation: DiskOperation) => DiskFault | undefined
    device: (operation: DiskOperation) => Promise<void> | undefined
  } = { fault: () => undefined, device: () => undefined }
  const operations: DiskOperation[] = []
  const bench = new Bench({
    ...options,
    onOperation: (operation) => {
      operations.push(operation)
      return trouble.fault(operation)
    },
    device: async (operation) => await trouble.device(operation),
  })
  return { bench, trouble, operations }
}

async function filled(log: Log, batches: number): Promise<void> {
  if (log.lastEpoch === 0) startEpoch(log)
  for (let i = 0; i < batches; i++) append(log, { count: 2 })
  await flush(log)
}

const codeOf = (error: unknown): unknown => ((error as Faulted).cause as NodeJS.ErrnoException).code

t.test('a sync that failed is final', async (t) => {
  for (const suffix of ['.log', 'journal', '.producers', 'topic-0']) {
    const { bench, trouble, operations } = troubled({ openMax: 2 })
    const log = await bench.open()
    await filled(log, 8)
    const durable = log.durablePosition
    let failed = ''
    trouble.fault = ({ kind, path }) => {
      if (failed !== '' || !kind.startsWith('sync') || !path.endsWith(suffix)) return undefined
      failed = path
      return { code: 'EIO' }
    }
    startEpoch(log)
    for (let i = 0; i < 12; i++) append(log, { count: 2 })
    log.write()
    const failure = await log.sync().catch((error: unknown) => error)
    t.ok(failure instanceof Faulted && failure.door === 'disk', suffix)
    t.equal(codeOf(failure), 'EIO')
    t.equal(log.fault, failure)
    const from = operations.length
    for (const change of [
      () => append(log),
      () => log.write(),
      () => log.truncate(3),
      () => startEpoch(log),
    ]) {
      t.throws(change, failure as Faulted)
    }
    await t.rejects(log.sync(), failure as Faulted)
    await t.rejects(log.raiseStart(2), failure as Faulted)
    t.equal(log.maybeRoll(), false)
    t.same(
      operations.slice(from).filter(({ path }) => path === failed),
      [],
      'nothing is tried again',
    )
    t.equal(log.durablePosition, durable, 'nothing is promised')
    t.equal(
      (await log.read(0, { boundOffset: 16, maxBytes: 1 << 20, minOne: true })).nextOffset,
      16,
      'reads go on',
    )
    t.match(bench.events.at(-1), { event: 'log.faulted', level: 'error', folder })
    await log.close()
    t.equal(bench.mount.stat(`${folder}/clean`), null)
    bench.losePower()
    const again = await bench.open()
    t.ok(again.endPosition >= durable, 'what was durable is there')
    t.equal((await readAll(again)).length, again.end)
  }
})

t.test('a disk that is full', async (t) => {
  let capacity = 1_000_000
  const { bench, trouble } = troubled()
  let used = 0
  trouble.fault = ({ kind, bytes }) => {
    if (kind !== 'write') return undefined
    if (used + bytes <= capacity) {
      used += bytes
      return undefined
    }
    const written = capacity - used
    used = capacity
    return { code: 'ENOSPC', written }
  }
  let log = await bench.open()
  await filled(log, 5)
  for (let round = 0; round < 30; round++) {
    capacity = used + 40 + round * 17
    const acknowledged = log.durablePosition
    let failure: unknown = null
    for (let i = 0; failure === null && i < 100; i++) {
      try {
        append(log, { count: 2 })
        await flush(log)
      } catch (error) {
        failure = error
      }
    }
    t.equal(codeOf(failure), 'ENOSPC')
    t.ok(log.durablePosition >= acknowledged)
    const promised = log.durablePosition
    await log.close()
    capacity = used + 1_000_000
    bench.kill()
    log = await bench.open()
    if (log.endPosition < promised || (await readAll(log)).length !== log.end) t.fail(`round ${round}`)
    startEpoch(log)
    await flush(log)
  }
  t.ok(
    bench.events.some(({ event }) => event === 'log.tail.cut'),
    'writes cut short were found and cut',
  )
})

t.test('reads that fail harm nobody else', async (t) => {
  const { bench, trouble } = troubled()
  const log = await bench.open()
  await filled(log, 40)
  t.ok(log.segments.length > 2)
  trouble.fault = ({ kind }) => (kind === 'read' ? { code: 'EIO' } : undefined)
  await t.rejects(log.read(0, { boundOffset: 80, maxBytes: 1000, minOne: true }), Faulted)
  trouble.fault = () => undefined
  t.equal(log.fault, null)
  t.equal((await readAll(log)).length, 80)
  append(log)
  t.equal(await flush(log), log.endPosition)
})

t.test('an image that does not fit leaves log and older image as they were', async (t) => {
  const { bench, trouble } = troubled()
  const log = await bench.open()
  await filled(log, 3)
  await log.images.write(4, 1, Buffer.from('small'))
  trouble.fault = ({ kind, path }) =>
    kind === 'write' && path.includes('image') ? { code: 'ENOSPC', written: 9 } : undefined
  await t.rejects(log.images.write(6, 1, Buffer.alloc(5000)), Faulted)
  t.equal(log.fault, null)
  t.match(log.images.newest(), { offset: 4 })
  trouble.fault = () => undefined
  await log.images.write(6, 1, Buffer.alloc(5000))
  t.match(log.images.newest(), { offset: 6 })
})

t.test('a sync that is under way when the log is truncated promises only what is left (R-11)', async (t) => {
  const { bench, trouble } = troubled()
  const log = await bench.open()
  await filled(log, 3)
  let release = (): void => {}
  trouble.device = ({ kind }) => (kind === 'sync' ? new Promise((resolve) => (release = resolve)) : undefined)
  for (let i = 0; i < 4; i++) append(log, { count: 2 })
  log.write()
  const syncing = log.sync()
  await new Promise((resolve) => setImmediate(resolve))
  log.truncate(11)
  startEpoch(log)
  for (let i = 0; i < 6; i++) append(log, { count: 2 })
  log.write()
  t.equal(log.writtenPosition, 24)
  trouble.device = () => undefined
  release()
  t.equal(await syncing, 11)
  t.equal(log.durablePosition, 11)
  t.equal(await log.sync(), 24)
})

t.test('the very first sync fails, and the log was truncated meanwhile: a fault, and no more', async (t) => {
  const { bench, trouble } = troubled()
  const log = await bench.open()
  startEpoch(log)
  for (let i = 0; i < 4; i++) append(log)
  log.write()
  let release = (): void => {}
  const begun = new Promise<void>((resolve) => {
    trouble.device = ({ kind, path }) => {
      if (kind !== 'sync' || !path.endsWith('barrier.tmp')) return undefined
      resolve()
      return new Promise((done) => (release = done))
    }
  })
  const syncing = log.sync()
  await begun
  log.truncate(2)
  trouble.fault = ({ kind }) => (kind === 'rename' ? { code: 'EIO' } : undefined)
  release()
  await t.rejects(syncing, { name: 'Faulted' })
  await new Promise((resolve) => setImmediate(resolve))
  t.match(log.fault, { name: 'Faulted' })
})

t.test(
  'syncs that overlap come one after the other, and each covers what was written before it',
  async (t) => {
    const { bench, operations } = troubled()
    const log = await bench.open()
    startEpoch(log)
    const promises: Promise<number>[] = []
    for (let i = 0; i < 5; i++) {
      append(log)
      log.write()
      promises.push(log.sync())
    }
    const positions = await Promise.all(promises)
    t.ok(
      positions.every((position, i) => position >= i + 2),
      positions.join(),
    )
    const before = operations.length
    t.equal(await log.sync(), 6)
    t.equal(operations.length, before, 'nothing new, nothing to do')
  },
)

t.test('a read that is under way', async (t) => {
  const hold = () => {
    const { bench, trouble } = troubled({ openMax: 3 })
    let release = (): void => {}
    const held = (): void => {
      trouble.device = ({ kind }) =>
        kind === 'read' ? new Promise((resolve) => (release = resolve)) : undefined
    }
    const letGo = (): void => {
      trouble.device = () => undefined
      release()
    }
    return { bench, held, letGo }
  }

  t.test('while its segment is removed: the records, or out of range; never something else', async (t) => {
    const { bench, held, letGo } = hold()
    const log = await bench.open()
    await filled(log, 60)
    held()
    const reading = log.read(3, { boundOffset: 120, maxBytes: 300, minOne: true })
    await new Promise((resolve) => setImmediate(resolve))
    await log.raiseStart(100)
    t.equal(bench.mount.stat(segmentPath(0)), null, 'the file is gone')
    letGo()
    const result = await reading.catch((error: unknown) => error)
    if (result instanceof Refused) t.equal(result.code, 'OFFSET_OUT_OF_RANGE')
    else
      t.match((result as Awaited<typeof reading>).batches.flatMap(recordsOf)[0], { offset: 2, value: 'v2' })
    await t.rejects(log.read(3, { boundOffset: 120, maxBytes: 300, minOne: true }), {
      code: 'OFFSET_OUT_OF_RANGE',
    } as Refused)
  })

  t.test('while what it reads is truncated and written anew: what is there now', async (t) => {
    const { bench, held, letGo } = hold()
    const log = await bench.open()
    await filled(log, 60)
    held()
    const reading = log.read(3, { boundOffset: 120, maxBytes: 5000, minOne: true })
    await new Promise((resolve) => setImmediate(resolve))
    log.truncate(5)
    startEpoch(log, 2)
    for (let i = 0; i < 60; i++) append(log, { count: 2, size: 33 })
    log.write()
    letGo()
    await flush(log)
    const records = (await reading).batches.flatMap(recordsOf)
    t.same(
      records.map(({ offset, epoch }) => [offset, epoch]),
      records.map((_, i) => [i + 2, i < 2 ? 1 : 2]),
    )
    t.ok(records.length >= 2)
  })
})

t.test('readers, a writer, truncations and retention at once, on a slow disk', async (t) => {
  const random = new SeededRandom(11)
  const { bench, trouble } = troubled({ openMax: 5 })
  trouble.device = async () => {
    for (let turns = random.below(4); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve))
  }
  const log = await bench.open()
  startEpoch(log)
  /** Below it nothing is truncated any more: what a reader may see. */
  let committed = 0
  let isDone = false
  let reads = 0
  const epochOf = new Map<number, number>()
  const reader = async (own: SeededRandom): Promise<void> => {
    while (!isDone) {
      const from = log.start + own.below(Math.max(1, committed - log.start))
      const bound = committed
      const start = log.start
      try {
        const { batches, nextOffset } = await log.read(from, {
          boundOffset: bound,
          maxBytes: 1 + own.below(900),
          minOne: true,
        })
        const records = batches.flatMap(recordsOf)
        const offsets = records.map(({ offset }) => offset)
        const isDense = offsets.every((offset, i) => i === 0 || offset === (offsets[i - 1] ?? 0) + 1)
        const isRight = records.every(
          ({ offset, value, epoch }) => value === `v${offset}` && epoch === epochOf.get(offset),
        )
        const isWhole =
          records.length === 0
            ? from >= bound
            : (offsets[0] ?? 0) <= from && nextOffset <= bound && nextOffset === (offsets.at(-1) ?? 0) + 1
        if (!isDense || !isRight || !isWhole) t.fail(`read at ${from} below ${bound}: ${offsets.join()}`)
        reads++
      } catch (error) {
        const isTrimmed = error instanceof Refused && error.code === 'OFFSET_OUT_OF_RANGE' && log.start > from
        if (!isTrimmed) t.fail(`read at ${from} in [${start}, ${bound}): ${(error as Error).stack}`)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const readers = Promise.all([1, 2, 3].map((seed) => reader(new SeededRandom(seed))))
  for (let round = 0; round < 250; round++) {
    const count = 1 + random.below(3)
    const bytes = batchAt(log.end, log.lastEpoch, { count, size: 10 + random.below(80) })
    for (let i = 0; i < count; i++) epochOf.set(log.end + i, log.lastEpoch)
    log.append(bytes)
    log.write()
    if (random.chance(0.3)) {
      const durable = await log.sync()
      if (random.chance(0.7)) committed = Math.max(committed, log.offsetAt(durable))
    }
    if (random.chance(0.05)) {
      log.truncate(log.positionOf(committed))
      startEpoch(log)
    }
    if (random.chance(0.05)) await log.raiseStart(log.start + random.below(committed - log.start + 1))
  }
  isDone = true
  await readers
  t.ok(reads > 100, `${reads} reads`)
  await flush(log)
  t.same(
    (await readAll(log)).map(({ value }) => value),
    Array.from({ length: log.end - log.start }, (_, i) => `v${log.start + i}`),
  )
})
