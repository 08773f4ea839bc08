/** Who reads on gets the same whether it is read ahead or not, with fewer trips to the disk, in memory that is bounded. */
import t from 'tap'
import { releaseAll } from '../../src/base/buffer-pool.ts'
import { Faulted } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { DiskOperation } from '../../src/embedded/sim-disk.ts'
import { HotMemory } from '../../src/log/hot-tail.ts'
import type { Log, ReadBatches } from '../../src/log/log.ts'
import { ReadAheadMemory } from '../../src/log/read-ahead-memory.ts'
import { PoisonedBuffers } from '../poisoned-buffers.ts'
import { append, Bench, flush, segmentPath, startEpoch } from './fixture.ts'

const settings = { segmentBytesMax: 50_000 }

/** Reads that left the event loop, by what they read. */
class Device {
  readonly reads: number[] = []
  /** Reads wait for it. */
  isReady: Promise<void> = Promise.resolve()

  readonly done = async (operation: DiskOperation): Promise<void> => {
    if (operation.kind !== 'read') return
    this.reads.push(operation.bytes)
    await this.isReady
  }

  get bytes(): number {
    return this.reads.reduce((sum, bytes) => sum + bytes, 0)
  }
}

function bench(options: ConstructorParameters<typeof Bench>[0], aheadBytesMax: number): Bench {
  const made = new Bench({ settings, ...options })
  made.buffers = new PoisonedBuffers()
  made.memory = {
    hot: new HotMemory({ bytesMax: 0, batchBytesMin: 0 }),
    ahead: new ReadAheadMemory(aheadBytesMax),
  }
  return made
}

function aheadBytes({ memory }: Bench): number {
  return memory?.ahead.bytes ?? Number.NaN
}

async function filled(made: Bench, batches = 200): Promise<Log> {
  const log = await made.open()
  startEpoch(log)
  for (let n = 0; n < batches; n++) append(log, { count: 1 + (n % 3), size: 100 })
  await flush(log)
  return log
}

/** A consumer: reads on where it has come to. */
class Reader {
  readonly #log: Log
  readonly #maxBytes: number
  readonly seen: Buffer[] = []
  offset: number

  constructor(log: Log, maxBytes = 500, offset = 0) {
    this.#log = log
    this.#maxBytes = maxBytes
    this.offset = offset
  }

  async step(): Promise<ReadBatches> {
    const limits = { boundOffset: this.#log.end, maxBytes: this.#maxBytes, minOne: true }
    const read = await this.#log.read(this.offset, limits)
    this.offset = read.nextOffset
    this.seen.push(Buffer.concat(read.batches))
    releaseAll(read.batches)
    return read
  }

  async toTheEnd(until = this.#log.end): Promise<Buffer> {
    while (this.offset < until) await this.step()
    return Buffer.concat(this.seen)
  }
}

t.test('reads are the same with and without', async (t) => {
  let inMemory = 0
  for (let seed = 1; seed <= 25; seed++) {
    const random = new SeededRandom(seed)
    const small = { settings: { segmentBytesMax: 6000 }, warmBytes: 500 }
    const ahead = bench({ ...small, seed }, 20_000)
    const logs = [await ahead.open(), await new Bench({ ...small, seed }).open()] as const
    let bounds: number[] = []
    const readers = Array.from({ length: 4 }, () => ({ offset: 0, maxBytes: 200 + random.below(1000) }))
    /** Answers that have not left yet. */
    let held: { batches: readonly Buffer[]; bytes: Buffer }[] = []
    for (const log of logs) startEpoch(log)
    const step = async (reader: { offset: number; maxBytes: number }): Promise<void> => {
      const [one, other] = logs
      if (random.chance(0.1) || reader.offset < one.start || reader.offset > one.end)
        reader.offset = one.start + random.below(one.end - one.start + 1)
      // Of either some may still be on its way into the file.
      const end = Math.min(...logs.map((log) => log.offsetAt(log.writtenPosition)))
      const boundOffset = random.chance(0.8)
        ? end
        : Math.min(end, one.start + random.below(one.end - one.start + 1))
      const limits = { boundOffset, maxBytes: reader.maxBytes, minOne: random.chance(0.9) }
      const found = await one.read(reader.offset, limits)
      const bytes = Buffer.concat(found.batches)
      const all = await other.read(reader.offset, { boundOffset, maxBytes: 1 << 30, minOne: true })
      t.equal(bytes.length, found.bytes)
      t.ok(bytes.equals(Buffer.concat(all.batches).subarray(0, bytes.length)), 'what the files hold')
      t.ok(found.batches.length <= 1 || bytes.length <= limits.maxBytes)
      if (limits.minOne && all.bytes > 0) t.ok(bytes.length > 0, 'one at least')
      const upTo = { boundOffset: found.nextOffset, maxBytes: 1 << 30, minOne: true }
      if (bytes.length > 0)
        t.equal((await other.read(reader.offset, upTo)).bytes, bytes.length, 'whole batches')
      reader.offset = found.nextOffset
      held.push({ batches: found.batches, bytes })
    }
    for (let n = 0; n < 150; n++) {
      const dice = random.below(30)
      if (dice < 8) {
        const [count, size] = [1 + random.below(3), 20 + random.below(200)]
        bounds.push(logs[0].end)
        for (const log of logs) append(log, { count, size })
        for (const log of logs) log.write()
      } else if (dice === 8) for (const log of logs) await flush(log)
      else if (dice === 9) {
        const offset = bounds.filter((bound) => bound >= logs[0].start).at(-1 - random.below(30))
        bounds = bounds.filter((bound) => bound < (offset ?? 0))
        for (const log of logs) {
          if (offset !== undefined) log.truncate(log.positionOf(offset))
          startEpoch(log)
        }
      } else if (dice === 10 && logs[0].end > logs[0].start + 20) {
        for (const log of logs) await flush(log)
        const offset = logs[0].start + random.below(20)
        for (const log of logs) await log.raiseStart(offset)
      } else if (dice < 26) {
        const reader = readers[random.below(readers.length)]
        if (reader !== undefined) await step(reader)
      } else await Promise.all(readers.map(step))
      if (random.chance(0.3)) {
        for (const { batches, bytes } of held) {
          t.ok(Buffer.concat(batches).equals(bytes), 'nobody writes into an answer that has not left')
          releaseAll(batches)
        }
        held = []
      }
      t.ok(aheadBytes(ahead) <= 20_000, 'the bound is kept')
      if (aheadBytes(ahead) > 0) inMemory++
    }
    for (const log of logs) await log.close()
    t.equal(aheadBytes(ahead), 0, 'nothing is left of a closed log')
  }
  t.ok(inMemory > 500, `something was read ahead at ${inMemory} steps`)
})

t.test('one trip to the disk serves many reads, and one that comes by gets what it asked for', async (t) => {
  const device = new Device()
  const made = bench({ device: device.done, warmBytes: 0 }, 100_000)
  const log = await filled(made)
  const reader = new Reader(log)
  let steps = 0
  for (; reader.offset < log.end; steps++) await reader.step()
  t.ok(steps > 50, `${steps} reads`)
  t.ok(device.reads.length < steps / 6, `${device.reads.length} trips for ${steps} reads`)
  t.ok(device.bytes < log.sizeBytes * 1.2, 'nothing was read twice')

  device.reads.length = 0
  const others = Array.from({ length: 10 }, (_, n) => new Reader(log, 500, n))
  for (const other of others) await other.toTheEnd(log.end - 5)
  t.ok(device.bytes < log.sizeBytes, 'what is still there serves others')

  await log.close()
  const again = await made.open()
  device.reads.length = 0
  for (let n = 0; n < 20; n++) await new Reader(again, 500, (n * 37) % (again.end - 50)).step()
  t.ok(device.bytes < 20 * 800, `${device.bytes} bytes for 20 reads of 500 that lie apart`)
  await again.close()
})

t.test('readers that come at the same time share a trip', async (t) => {
  const device = new Device()
  const log = await filled(bench({ device: device.done, warmBytes: 0 }, 100_000))
  const first = new Reader(log)
  await first.step()
  device.reads.length = 0
  const readers = Array.from({ length: 10 }, () => new Reader(log, 500, first.offset))
  await Promise.all(readers.map((reader) => reader.step()))
  t.equal(device.reads.length, 1)
  t.equal(new Set(readers.map(({ offset }) => offset)).size, 1)
  await log.close()
})

t.test('more readers than there is memory for do not drive each other out', async (t) => {
  const device = new Device()
  const made = bench({ device: device.done, warmBytes: 0 }, 3 * 8192)
  const log = await filled(made, 800)
  const readers = Array.from({ length: 12 }, (_, n) => new Reader(log, 512, n * 100))
  let steps = 0
  for (; steps < 200; steps++) {
    const reader = readers[steps % readers.length]
    await reader?.step()
    t.ok(aheadBytes(made) <= 3 * 8192)
  }
  t.ok(device.bytes < steps * 900, `${device.bytes} bytes for ${steps} reads of 500`)
  const before = device.reads.length
  // The others have gone: after a while the last one gets what they had.
  await made.clock.advance(2000)
  const last = readers[11]
  for (let n = 0; n < 15; n++) await last?.step()
  t.ok(device.reads.length - before <= 4, `${device.reads.length - before} trips for 15 reads`)
  await log.close()
})

t.test('a log that is cut and goes on in another way while it is read ahead', async (t) => {
  const device = new Device()
  const made = bench({ device: device.done, warmBytes: 0 }, 100_000)
  const log = await filled(made)
  const reader = new Reader(log)
  await reader.step()
  let go = (): void => {}
  device.isReady = new Promise((resolve) => (go = resolve))
  const under = [reader.step(), new Reader(log, 500, reader.offset).step()]
  log.truncate(log.positionOf(reader.offset))
  startEpoch(log)
  for (let n = 0; n < 50; n++) append(log, { count: 1, size: 77 })
  await flush(log)
  go()
  await Promise.all(under)
  const whole = await log.read(0, { boundOffset: log.end, maxBytes: 1 << 30, minOne: true })
  t.ok(
    (await reader.toTheEnd()).equals(Buffer.concat(whole.batches)),
    'who was reading goes on in what is there now',
  )
  t.ok((await new Reader(log).toTheEnd()).equals(Buffer.concat(whole.batches)))
  await log.close()
})

t.test('a damaged batch concerns only those who come to it', async (t) => {
  for (const [what, at] of [
    ['a byte of a record', 70],
    ['the magic byte', 16],
  ] as const) {
    const made = bench({ warmBytes: 0 }, 100_000)
    const written = await filled(made)
    const whole = await written.read(0, { boundOffset: written.end, maxBytes: 1 << 30, minOne: true })
    const bytes = Buffer.concat(whole.batches)
    const place = await written.read(0, { boundOffset: written.end, maxBytes: 3000, minOne: true })
    await written.close()
    made.disk.settleAll()
    made.disk.damage(segmentPath(0), (all) => {
      all[place.bytes + at] = (all[place.bytes + at] ?? 0) ^ 0x40
      return all
    })
    const log = await made.open()
    const reader = new Reader(log, 300)
    const outcome = await reader.toTheEnd().catch((error: unknown) => error)
    t.ok(outcome instanceof Faulted && outcome.door === 'bytes', what)
    const seen = Buffer.concat(reader.seen)
    t.ok(seen.equals(bytes.subarray(0, seen.length)))
    t.ok(seen.length > place.bytes - 600, `${what}: ${seen.length} of the ${place.bytes} bytes before it`)
    const behind = new Reader(log, 300, place.nextOffset + 3)
    await behind.step()
    t.ok((await behind.toTheEnd()).length > 0, `${what}: what lies behind it is read`)
    await log.close()
  }
})

t.test('damage to what this process wrote is found by who comes to it', async (t) => {
  const made = bench({ warmBytes: 0 }, 100_000)
  const log = await filled(made)
  const before = await log.read(0, { boundOffset: log.end, maxBytes: 3000, minOne: true })
  made.disk.damage(segmentPath(0), (all) => {
    all[before.bytes + 16] = 7
    return all
  })
  const reader = new Reader(log)
  await reader.toTheEnd(5)
  t.ok(aheadBytes(made) > 0, 'it was read ahead')
  const behind = new Reader(log, 500, before.nextOffset + 3)
  t.ok((await behind.step()).bytes > 0, 'what lies behind it is read')
  const outcome = await reader.toTheEnd().catch((error: unknown) => error)
  t.ok(outcome instanceof Faulted && outcome.door === 'bytes')
  const seen = Buffer.concat(reader.seen)
  t.ok(seen.equals(Buffer.concat(before.batches).subarray(0, seen.length)))
  t.ok(seen.length > before.bytes - 1000, `${seen.length} of the ${before.bytes} bytes before it`)
  await log.close()
})

t.test('a log that is trimmed or closed keeps nothing that has gone', async (t) => {
  const device = new Device()
  const made = bench({ device: device.done, warmBytes: 0, settings: { segmentBytesMax: 5000 } }, 100_000)
  const log = await filled(made)
  const reader = new Reader(log)
  await reader.toTheEnd(log.end / 2)
  const before = aheadBytes(made)
  t.ok(before > 0)
  await log.raiseStart(reader.offset)
  t.ok(aheadBytes(made) < before / 2, `${aheadBytes(made)} of ${before}`)

  const other = new Reader(log, 500, log.end - 60)
  await other.step()
  const kept = aheadBytes(made)
  let go = (): void => {}
  device.isReady = new Promise((resolve) => (go = resolve))
  const under = other.step()
  const free = made.buffers?.freeBytes ?? 0
  await log.close()
  t.equal(made.buffers?.freeBytes, free + kept, 'its memory is used again')
  go()
  t.ok((await under).bytes > 0, 'who was reading gets it')
  t.equal(aheadBytes(made), 0)
})
