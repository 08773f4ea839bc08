/**
 * The power goes at every single operation on the disk: what was promised is there, what is there is a prefix
 * of what was written, and the log goes on from it.
 */
import t from 'tap'
import type { DiskOperation } from '../../src/embedded/sim-disk.ts'
import type { Log } from '../../src/log/log.ts'
import { append, Bench, flush, startEpoch } from './fixture.ts'
import { LogModel } from './model.ts'

const reads = new Set<DiskOperation['kind']>(['read'])

/** A script against log and model together. */
class Script {
  readonly bench: Bench
  readonly model = new LogModel()
  log!: Log
  #operations = 0
  #powerOffAt: number
  #cutOff = (): void => {}
  off: Promise<void>
  isOff = false

  /** The power goes at operation `powerOffAt`. */
  constructor(seed: number, powerOffAt: number) {
    this.#powerOffAt = powerOffAt
    this.off = this.#newOff()
    this.bench = new Bench({
      seed,
      openMax: 6,
      onOperation: (operation) => {
        if (reads.has(operation.kind) || ++this.#operations !== this.#powerOffAt) return undefined
        this.#cutOff()
        return 'powerOff'
      },
    })
    this.#operations = 0 // making the folder of the data is not part of it
  }

  #newOff(): Promise<void> {
    this.isOff = false
    return new Promise((resolve) => {
      this.#cutOff = () => {
        this.isOff = true
        resolve()
      }
    })
  }

  get operations(): number {
    return this.#operations
  }

  epoch(): void {
    const epoch = this.model.largestEpoch + 1
    startEpoch(this.log, epoch)
    this.model.appendMark({ kind: 'epochStart', leaderId: 1 }, epoch)
  }

  append(count: number, size = 40): void {
    const producer = this.model.units.length % 3
    const shape =
      producer === 0 ? {} : { producerId: producer, producerEpoch: 0, baseSequence: this.model.end }
    // Every branch has its own times, and they jump.
    const timestamp = 1000 + ((this.model.end * 7 + this.model.branches.length * 31) % 97)
    this.model.append(append(this.log, { count, size, timestamp, ...shape }))
  }

  mark(kind: 'voters' | 'logStart'): void {
    const mark =
      kind === 'voters'
        ? { kind, voters: [1, 2, 3], outgoing: [1, 2], disks: [] }
        : { kind, offset: this.model.end }
    this.log.appendMark(mark, this.log.lastEpoch)
    this.model.appendMark(mark, this.log.lastEpoch)
  }

  async sync(): Promise<void> {
    this.model.durable = await flush(this.log)
  }

  truncate(back: number): void {
    const cuts = this.model.cuts()
    const position = cuts[Math.max(0, cuts.length - 1 - back)] ?? this.model.units.length
    this.model.truncate(position)
    this.log.truncate(position)
  }

  async raise(offset: number): Promise<void> {
    this.model.startAsked = offset
    await this.log.raiseStart(offset)
    this.model.start = offset
  }

  /** Opens it again after the power went; returns what is wrong, or null. */
  async recover(): Promise<string | null> {
    this.bench.losePower()
    // And once more, in the middle of recovering (or not at all, when recovery is short).
    this.#operations = 0
    this.#powerOffAt = 1 + this.bench.random.below(12)
    this.off = this.#newOff()
    const opening = this.bench.open()
    await Promise.race([opening.catch(() => this.off), this.off])
    this.#powerOffAt = Number.POSITIVE_INFINITY
    this.bench.losePower()
    this.log = await this.bench.open()
    const problem = await this.model.adopt(this.log)
    if (problem !== null) return problem
    this.epoch()
    this.append(2)
    await this.sync()
    this.truncate(1)
    this.epoch()
    this.append(3)
    await this.sync()
    await this.log.close()
    this.bench.kill()
    this.log = await this.bench.open()
    return await this.model.difference(this.log)
  }
}

const scripts: Record<string, (s: Script) => Promise<void>> = {
  'append and roll': async (s) => {
    s.epoch()
    for (let i = 0; i < 14; i++) {
      s.append(1 + (i % 3), 60)
      if (i % 4 === 3) await s.sync()
      else if (i % 2 === 1) s.log.write()
    }
    s.log.maybeRoll()
    s.append(2)
    await s.sync()
  },
  'no batch yet': async (s) => {
    s.epoch()
    await s.sync()
    s.epoch()
    await s.sync()
  },
  'marks between batches': async (s) => {
    s.epoch()
    for (let i = 0; i < 4; i++) {
      s.append(1)
      s.mark(i % 2 === 0 ? 'voters' : 'logStart')
      s.append(2)
      s.log.write()
      if (i % 2 === 1) s.epoch()
      s.append(1)
      if (i % 2 === 0) await s.sync()
    }
    await s.sync()
  },
  'truncate what is durable, and write anew': async (s) => {
    s.epoch()
    for (let i = 0; i < 10; i++) s.append(2, 70)
    await s.sync()
    s.truncate(3)
    s.epoch()
    s.append(3, 30)
    s.append(1, 90)
    s.log.write()
    await s.sync()
    s.truncate(9)
    s.truncate(10)
    s.epoch()
    s.append(2, 50)
    await s.sync()
  },
  'truncate while a sync is under way': async (s) => {
    s.epoch()
    for (let i = 0; i < 6; i++) s.append(2, 70)
    await s.sync()
    for (let i = 0; i < 4; i++) s.append(2, 70)
    s.log.write()
    const syncing = s.log.sync()
    s.truncate(5)
    s.epoch()
    s.append(1, 20)
    s.log.write()
    s.model.durable = Math.min(await syncing, s.model.units.length)
    await s.sync()
  },
  'raise the start': async (s) => {
    s.epoch()
    for (let i = 0; i < 12; i++) s.append(2, 70)
    s.mark('logStart')
    await s.sync()
    s.model.committed = s.model.durable
    await s.raise(5)
    s.append(1)
    await s.raise(13)
    s.epoch()
    s.append(2)
    await s.sync()
    s.model.committed = s.model.durable
    await s.raise(s.model.end)
    s.append(1)
    await s.sync()
  },
  'raise the start inside batches, and further on inside the same': async (s) => {
    s.epoch()
    for (let i = 0; i < 8; i++) s.append(3, 70)
    s.mark('voters')
    s.epoch()
    for (let i = 0; i < 4; i++) s.append(4, 70)
    s.mark('logStart')
    await s.sync()
    s.model.committed = s.model.durable
    await s.raise(7)
    await s.raise(8)
    await s.raise(22)
    s.append(2)
    await s.raise(25)
    await s.raise(27)
    await s.sync()
    s.model.committed = s.model.durable
    await s.raise(s.model.end - 1)
    s.append(1)
    await s.sync()
  },
  'raise the start to a segment that is not durable yet': async (s) => {
    s.epoch()
    for (let i = 0; s.log.segments.length < 2; i++) {
      s.append(2, 70)
      if (i % 2 === 0) await s.sync()
      if (s.log.sizeBytes > 1200) break
    }
    await s.sync()
    s.model.committed = s.model.durable
    const start = s.model.end
    for (let i = 0; i < 3; i++) s.append(3, 90)
    s.log.write()
    await s.raise(start)
    s.append(1)
    await s.sync()
  },
  ...Object.fromEntries(
    // After so many operations of the raise.
    [1, 2, 3].map((operations) => [
      `truncate while the start is raised, after ${operations}`,
      async (s: Script) => {
        s.epoch()
        s.append(5)
        s.mark('logStart')
        await s.sync()
        s.model.committed = s.model.durable
        s.append(1)
        await s.sync()
        const raising = s.raise(5)
        const until = s.operations + operations
        let isRaised = false
        const ended = (): void => {
          isRaised = true
        }
        void raising.then(ended, ended)
        while (s.operations < until && !isRaised && !s.isOff) await Promise.resolve()
        s.truncate(1)
        await raising
        s.epoch()
        s.append(2)
        await s.sync()
      },
    ]),
  ),
  'cut a mark that starts no epoch, with what came after it': async (s) => {
    s.epoch()
    s.append(4)
    s.mark('voters')
    s.append(1)
    s.append(2)
    await s.sync()
    s.truncate(3)
    s.epoch()
    s.append(3)
    await s.sync()
  },
  'seal again what was cut, with other timestamps': async (s) => {
    s.epoch()
    for (let i = 0; i < 14; i++) s.append(2, 40)
    await s.sync()
    s.truncate(10)
    s.epoch()
    for (let i = 0; i < 12; i++) s.append(2, 40)
    await s.sync()
    for (let i = 0; i < 6; i++) s.append(2, 40)
    await s.sync()
  },
  'write the journal anew': async (s) => {
    s.epoch()
    for (let i = 0; i < 150; i++) {
      s.mark('logStart')
      if (i % 50 === 0) s.append(1)
    }
    await s.sync()
    s.model.committed = s.model.durable
    s.append(1)
    s.append(1)
    const raising = s.raise(3)
    raising.catch(() => {}) // the power may go before it is awaited
    s.mark('voters')
    s.append(1)
    s.log.write()
    await raising
    await s.sync()
  },
  'close and open again': async (s) => {
    s.epoch()
    for (let i = 0; i < 5; i++) s.append(2, 70)
    await s.log.close()
    s.model.durable = s.model.units.length
    s.log = await s.bench.open()
    s.epoch()
    s.append(2)
    s.log.write()
    s.truncate(4)
    s.epoch()
    s.append(1)
    await s.sync()
    await s.log.close()
    s.model.durable = s.model.units.length
    s.log = await s.bench.open()
    await s.log.close()
  },
  // The marker of a close is not synced: it may be lost, in part, and may come back after it was removed.
  'close, perhaps lose power, and write as much in place of what was there': async (s) => {
    s.epoch()
    for (let i = 0; i < 4; i++) s.append(2, 70)
    for (let round = 0; round < 3; round++) {
      const { mount } = s.bench
      await s.log.close()
      if (s.bench.mount !== mount) return // the power went with the last operation of the close
      s.model.durable = s.model.units.length
      if (round > 0) s.bench.losePower()
      s.log = await s.bench.open()
      // All but one batch are others in the end, the journal is no longer until it is synced.
      s.truncate(4)
      s.epoch()
      for (let i = 0; i < 4; i++) s.append(2, 70)
      s.log.write()
      if (round !== 1) await s.sync()
    }
    await s.sync()
  },
}

/** Runs until the end or until the power goes. Returns how many operations there were. */
async function run(script: (s: Script) => Promise<void>, s: Script): Promise<number> {
  const work = (async () => {
    s.log = await s.bench.open()
    await script(s)
  })()
  const failed = work.catch((error: unknown) => {
    // What the power took ends nowhere, or with an error of the disk; anything else is a bug.
    if (!s.isOff) throw error
  })
  await Promise.race([failed, s.off])
  return s.operations
}

for (const [name, script] of Object.entries(scripts)) {
  t.test(name, async (t) => {
    const total = await run(script, new Script(1, Number.POSITIVE_INFINITY))
    const seeds = Number(process.env.LOG_CRASH_SEEDS ?? 3)
    const failures: string[] = []
    for (let at = 2; at <= total + 1; at++) {
      for (let seed = 0; seed < seeds; seed++) {
        const s = new Script(seed * 1000 + at, at)
        await run(script, s)
        const problem = await s.recover().catch((error: unknown) => (error as Error).stack ?? String(error))
        if (problem !== null) failures.push(`at ${at} of ${total}, seed ${seed}: ${problem}`)
      }
    }
    t.same(failures.slice(0, 3), [], `${total} points, ${seeds} losses of power each`)
  })
}
