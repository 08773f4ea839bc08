/** What is kept in memory is what the files hold, whatever happens to the log, and no more than it may be. */
import t from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { HotMemory } from '../../src/log/hot-tail.ts'
import type { Log } from '../../src/log/log.ts'
import { ReadAheadMemory } from '../../src/log/read-ahead-memory.ts'
import { append, Bench, flush, startEpoch } from './fixture.ts'

const everything = { maxBytes: 1 << 30, minOne: true }

/** A log with memory and one without get the same. */
async function twins(seed: number): Promise<{ hot: Log; cold: Log; memory: HotMemory }> {
  const memory = new HotMemory({ bytesMax: 40_000, batchBytesMin: 150 })
  const [one, other] = [new Bench({ seed }), new Bench({ seed })]
  one.memory = { hot: memory, ahead: new ReadAheadMemory(0) }
  return { hot: await one.open(), cold: await other.open(), memory }
}

t.test('reads are the same with and without', async (t) => {
  let served = 0
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed)
    const { hot, cold, memory } = await twins(seed)
    const both = [hot, cold]
    let epoch = 0
    let bounds: number[] = []
    const check = async (): Promise<void> => {
      const offset = hot.start + random.below(Math.max(1, hot.end - hot.start + 1))
      const boundOffset = hot.start + random.below(hot.end - hot.start + 2)
      const limits = { boundOffset, maxBytes: random.below(5000), minOne: random.chance(0.5) }
      const before = await cold.read(offset, { ...everything, boundOffset })
      const found = await hot.read(offset, limits)
      const bytes = Buffer.concat(found.batches)
      t.ok(bytes.equals(Buffer.concat(before.batches).subarray(0, bytes.length)))
      t.equal(bytes.length, found.bytes)
      t.ok(found.nextOffset <= Math.max(offset, boundOffset))
      if (limits.minOne && before.batches.length > 0) t.ok(found.bytes > 0, 'one at least')
      // The same that the files give, when asked for just that.
      const again = await cold.read(offset, {
        boundOffset: found.nextOffset,
        ...everything,
        maxBytes: 1 << 30,
      })
      if (found.bytes > 0) t.equal(again.nextOffset, found.nextOffset)
      if (found.batches.length > 1) served++
    }
    for (let step = 0; step < 60; step++) {
      const dice = random.below(12)
      if (epoch === 0 || dice === 0) {
        epoch++
        for (const log of both) startEpoch(log, epoch)
      } else if (dice < 7) {
        const [count, size] = [1 + random.below(3), 20 + random.below(300)]
        bounds.push(hot.end)
        for (const log of both) append(log, { count, size })
      } else if (dice === 7) for (const log of both) log.write()
      else if (dice === 8) for (const log of both) await flush(log)
      else if (dice === 9) {
        const offset = bounds.filter((bound) => bound >= hot.start).at(-1 - random.below(4))
        if (offset !== undefined) {
          for (const log of both) log.truncate(log.positionOf(offset))
          bounds = bounds.filter((bound) => bound < offset)
          epoch++
          for (const log of both) startEpoch(log, epoch)
        }
      } else if (dice === 10 && hot.end > hot.start) {
        for (const log of both) await flush(log)
        const offset = hot.start + random.below(hot.end - hot.start)
        for (const log of both) await log.raiseStart(offset)
      }
      t.ok(memory.bytes <= 40_000)
      await check()
    }
    for (const log of both) await log.close()
    t.equal(memory.bytes, 0, 'nothing is left of a closed log')
  }
  t.ok(served > 50, `${served} reads of several batches`)
})

t.test('the oldest go first, of whichever log, and what is large for nothing is not kept', async (t) => {
  const memory = new HotMemory({ bytesMax: 10_000, batchBytesMin: 100 })
  const logs = await Promise.all(
    [1, 2].map(async (seed) => {
      const bench = new Bench({ seed })
      bench.memory = { hot: memory, ahead: new ReadAheadMemory(0) }
      const log = await bench.open()
      startEpoch(log, 1)
      return log
    }),
  )
  for (let n = 0; n < 100; n++) for (const log of logs) append(log, { count: 1, size: 900 })
  t.ok(memory.bytes > 8_000 && memory.bytes <= 10_000, `${memory.bytes}`)
  const small = Buffer.alloc(1_000_000).subarray(0, 200)
  t.notOk(memory.isWorthKeeping(small), 'it would keep all of its request')
  for (const log of logs) await log.close()
})
