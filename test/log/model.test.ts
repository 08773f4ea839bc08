/** A log against a plain array, whatever the order of operations, and across crashes. */
import fc from 'fast-check'
import t from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { Log, Mark } from '../../src/log/log.ts'
import { append, Bench, folder, recordsOf, startEpoch, votersMark } from './fixture.ts'
import { LogModel } from './model.ts'

// (Of doubles between 0 and 1 most are next to 0.)
const part = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000)
const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 4 }),
      size: fc.integer({ min: 8, max: 90 }),
      timestamp: fc.integer({ min: 0, max: 3000 }),
      producer: fc.integer({ min: -1, max: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('epoch' as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('voters' as const, 'logStart' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('write' as const, 'sync' as const, 'syncLater' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('truncate' as const), part }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('commit' as const), part }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('raise' as const, 'raiseLater' as const), part }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('steps' as const), count: fc.integer({ min: 1, max: 30 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'close' as const,
        'kill' as const,
        'power' as const,
        'roll' as const,
        'reindex' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom('read' as const, 'time' as const),
      part,
      bytes: fc.integer({ min: 1, max: 1000 }),
    }),
  },
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

/** One run: the log, what it should be, and the disk below. */
class Run {
  readonly bench: Bench
  readonly model = new LogModel()
  log!: Log
  readonly #sequences = new Map<number, number>()
  /** What is not waited for: syncs and raises. */
  #later: Promise<unknown>[] = []

  constructor(seed: number) {
    const random = new SeededRandom(seed).fork('device')
    this.bench = new Bench({
      seed,
      openMax: 4,
      // All, some or none of the writes leave the event loop, and come back some steps later.
      leaveBytesMin: [0, 0, 150, Infinity][(seed >> 1) % 4] ?? 0,
      device: async ({ kind }) => {
        if (kind !== 'write') return
        for (let steps = random.below(20); steps > 0; steps--) await null
      },
      someOf: (bytes) => random.below(bytes + 1),
      settings: { segmentMs: 1, segmentBytesMax: seed % 2 === 0 ? 300 : 1500 },
    })
  }

  async start(): Promise<void> {
    this.log = await this.bench.open()
    this.#epoch()
  }

  async do(operation: Operation): Promise<void> {
    const { log, model } = this
    switch (operation.op) {
      case 'append':
        return this.#append(operation)
      case 'epoch':
        return this.#epoch()
      case 'voters':
      case 'logStart': {
        this.#goOn()
        const mark: Mark =
          operation.op === 'voters'
            ? votersMark([1, 2, model.units.length])
            : { kind: 'logStart', offset: model.end }
        check('position of a mark', log.appendMark(mark, log.lastEpoch), model.units.length)
        return model.appendMark(mark, log.lastEpoch)
      }
      case 'write':
        log.write()
        return
      case 'sync':
        log.write()
        model.durable = await log.sync()
        check('durable', model.durable, model.units.length)
        return
      case 'syncLater': {
        log.write()
        this.#doLater(log.sync(), (position) => {
          model.durable = Math.min(position, model.units.length)
        })
        return
      }
      case 'commit':
        model.committed = Math.max(model.committed, Math.floor(operation.part * model.durable))
        return
      case 'truncate': {
        const cuts = model.cuts()
        const position = cuts[Math.floor(operation.part * (cuts.length - 1))] ?? model.units.length
        model.truncate(position)
        log.truncate(position)
        this.#sequences.clear()
        return
      }
      case 'raise':
      case 'raiseLater': {
        const offset = Math.floor(operation.part * model.offsetAt(model.committed))
        if (offset <= model.startAsked) return
        model.startAsked = offset
        const raised = this.#doLater(log.raiseStart(offset), () => {
          model.start = offset
        })
        if (operation.op === 'raise') await raised
        return
      }
      case 'steps':
        for (let i = 0; i < operation.count; i++) await null
        return
      case 'roll':
        this.bench.clock.jump(1)
        log.maybeRoll()
        return
      case 'reindex':
        return this.#spoilIndexes()
      case 'read':
        return await this.#read(operation.part, operation.bytes)
      case 'time':
        return await this.#time(operation.part)
      default:
        return await this.#reopen(operation.op)
    }
  }

  /** Of a process that is killed meanwhile, nobody hears. */
  #doLater<Value>(work: Promise<Value>, settled: (value: Value) => void): Promise<void> {
    const { mount } = this.bench
    const isAlive = (): boolean => mount === this.bench.mount
    const done = work.then(
      (value) => {
        if (isAlive()) settled(value)
      },
      (error: unknown) => {
        if (isAlive()) throw error
      },
    )
    this.#later.push(done)
    return done
  }

  #append({ count, size, timestamp, producer }: Extract<Operation, { op: 'append' }>): void {
    this.#goOn()
    const baseSequence = this.#sequences.get(producer) ?? 0
    const shape =
      producer < 0 ? {} : { producerId: producer, producerEpoch: this.log.lastEpoch, baseSequence }
    const bytes = append(this.log, { count, size, timestamp, ...shape })
    this.#sequences.set(producer, baseSequence + count)
    this.model.append(bytes)
  }

  /** After a truncation a new epoch begins, unless an older one has the word again. */
  #goOn(): void {
    if (this.log.lastEpoch === 0 || !this.model.mayGoOn) this.#epoch()
  }

  #epoch(): void {
    const epoch = this.model.largestEpoch + 1
    startEpoch(this.log, epoch)
    this.model.appendMark({ kind: 'epochStart', leaderId: 1 }, epoch)
    this.#sequences.clear()
  }

  async #read(where: number, maxBytes: number): Promise<void> {
    const { log, model } = this
    log.write()
    await log.sync() // what waits for a truncation or a mark is written by then
    const offset = model.startAsked + Math.floor(where * (model.end - model.startAsked))
    const bounds = model.cuts().map((position) => model.offsetAt(position))
    const boundOffset = bounds[Math.floor(where * (bounds.length - 1))] ?? model.end
    const read = await log.read(offset, { boundOffset, maxBytes, minOne: true })
    const records = read.batches.flatMap(recordsOf)
    const first = records[0]?.offset ?? offset
    check('read', records, model.records(first, read.nextOffset))
    check('next offset', read.nextOffset, (records.at(-1)?.offset ?? offset - 1) + 1)
    check('no bytes', log.bytesBetween(boundOffset, boundOffset), 0)
    const bytes = log.bytesBetween(offset, boundOffset)
    const wanted = model.bytesBetween(offset, boundOffset)
    const slack = this.bench.settings.indexIntervalBytes + 600 // an index entry may lie one batch further back
    if (Math.abs(bytes - wanted) > slack) throw new Error(`${bytes} bytes between, not ${wanted}`)
    if (offset < boundOffset && records.length === 0) throw new Error('at least one batch')
    if (read.nextOffset > boundOffset && records.length > 0) throw new Error('nothing above the bound')
    if (
      read.bytes > maxBytes &&
      new Set(
        model.units.flatMap((unit) =>
          unit.kind === 'record' && records.some((record) => record.offset === unit.record.offset)
            ? [unit.batch]
            : [],
        ),
      ).size > 1
    )
      throw new Error('one batch at most over the limit')
  }

  async #time(where: number): Promise<void> {
    const { log, model } = this
    log.write()
    await log.sync()
    const bounds = model.cuts().map((position) => model.offsetAt(position))
    const bound = bounds[Math.floor(where * (bounds.length - 1))] ?? model.end
    const timestamp = Math.floor(where * 3100)
    check(
      'time',
      offsetOf(await log.offsetForTime(timestamp, bound)),
      offsetOf(model.forTime(timestamp, bound)),
    )
    check('latest', offsetOf(await log.offsetOfMaxTimestamp(bound)), offsetOf(model.maxTimestamp(bound)))
  }

  #spoilIndexes(): void {
    const { disk, mount, random } = this.bench
    for (const name of mount.list(folder)) {
      if (!name.endsWith('.index') || random.chance(0.5)) continue
      disk.damage(`${folder}/${name}`, (bytes) => {
        if (bytes.length > 0) bytes.writeUInt8(random.below(256), random.below(bytes.length))
        return bytes
      })
    }
  }

  async #reopen(how: 'close' | 'kill' | 'power'): Promise<void> {
    const { bench, model } = this
    if (how === 'close') {
      await this.log.close()
      model.durable = model.units.length
    }
    if (how === 'power') bench.losePower()
    else bench.kill()
    this.#later = []
    this.log = await bench.open()
    const problem = how === 'close' ? await model.difference(this.log) : await model.adopt(this.log)
    if (problem !== null) throw new Error(`after ${how}: ${problem}`)
    this.#sequences.clear()
    // What comes now is a new term, as after every restart.
    this.#epoch()
  }

  async finish(): Promise<void> {
    this.log.write()
    await Promise.all(this.#later)
    await this.log.sync()
    const problem = await this.model.difference(this.log)
    if (problem !== null) throw new Error(`at the end: ${problem}`)
  }
}

function offsetOf(place: { offset: number; timestamp: number; epoch: number } | null | undefined): unknown {
  return place ? [place.offset, place.timestamp, place.epoch] : null
}

function check(what: string, actual: unknown, wanted: unknown): void {
  const [a, w] = [JSON.stringify(actual), JSON.stringify(wanted)]
  if (a !== w) throw new Error(`${what}: ${a} where ${w} should be`)
}

t.test('any sequence of operations, against a plain array', async (t) => {
  const property = fc.asyncProperty(
    fc.integer({ min: 0, max: 1 << 30 }),
    fc.array(operation, { minLength: 10, maxLength: 60, size: 'max' }),
    async (seed, operations) => {
      const run = new Run(seed)
      await run.start()
      for (const one of operations) await run.do(one)
      await run.finish()
    },
  )
  // LOG_MODEL_RUNS for a longer search; LOG_MODEL_REPLAY='seed path' of a failure to see it again.
  const runs = Number(process.env.LOG_MODEL_RUNS ?? 150)
  const [seed, path] = process.env.LOG_MODEL_REPLAY?.split(' ') ?? []
  const replay =
    seed === undefined || path === undefined ? {} : { seed: Number(seed), path, endOnFailure: true }
  const result = await fc.check(property, { numRuns: runs, ...replay })
  const report = result.failed
    ? `${(result.errorInstance as Error).stack}\n${fc.defaultReportMessage(result)}`
    : `${runs} runs`
  t.equal(result.failed, false, report)
})
