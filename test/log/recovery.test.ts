/** What a log is after damage: the longest sound prefix when the damage is past the barrier, refused when it is below. */
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { append, Bench, flush, folder, readAll, segmentPath, startEpoch } from './fixture.ts'

/** A log of one segment, and where its last batches begin. */
async function threeLast(
  indexIntervalBytes = 150,
): Promise<{ bench: Bench; file: string; positions: number[]; offsets: number[] }> {
  const bench = new Bench({ settings: { segmentBytesMax: 1 << 20, indexIntervalBytes } })
  const log = await bench.open()
  startEpoch(log)
  const positions: number[] = []
  const offsets: number[] = []
  for (let i = 0; i < 12; i++) {
    positions.push(log.sizeBytes)
    offsets.push(log.end)
    append(log, { count: 1 + (i % 3), size: 20 + i })
    log.write()
  }
  positions.push(log.sizeBytes)
  offsets.push(log.end)
  return { bench, file: segmentPath(0), positions, offsets }
}

/** How many batches are whole when the file ends at `size`. */
function wholeBefore(positions: readonly number[], size: number): number {
  return positions.filter((position) => position <= size).length - 1
}

t.test('a log cut at every byte of its last three batches', async (t) => {
  const { bench, file, positions, offsets } = await threeLast()
  const whole = bench.disk.bytesOf(file)
  const from = positions[9] ?? 0
  let failures = 0
  for (let size = from; size <= whole.length; size++) {
    bench.kill()
    bench.disk.damage(file, () => whole.subarray(0, size))
    const log = await bench.open()
    const batches = wholeBefore(positions, size)
    const end = offsets[batches]
    const records = await readAll(log)
    const isRight =
      log.end === end &&
      log.sizeBytes === positions[batches] &&
      bench.mount.stat(file)?.size === positions[batches] &&
      records.length === end &&
      log.durablePosition === log.endPosition
    if (!isRight) failures++
    await log.close()
    // The next round is a crash again: without what this one has left.
    for (const name of ['clean', 'barrier']) bench.mount.remove(`${folder}/${name}`)
  }
  t.equal(failures, 0, `${whole.length - from + 1} lengths`)
  t.ok(bench.events.some(({ event }) => event === 'log.tail.cut'))
})

t.test('each bit of the last batch flipped', async (t) => {
  const { bench, file, positions, offsets } = await threeLast()
  const whole = bench.disk.bytesOf(file)
  const last = positions[11] ?? 0
  let failures = 0
  for (let bit = last * 8; bit < whole.length * 8; bit++) {
    bench.kill()
    const flipped = Buffer.from(whole)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    bench.disk.damage(file, () => flipped)
    const log = await bench.open()
    const records = await readAll(log)
    if (log.end !== offsets[11] || records.length !== log.end || log.sizeBytes !== last) failures++
    await log.close()
    for (const name of ['clean', 'barrier']) bench.mount.remove(`${folder}/${name}`)
  }
  t.equal(failures, 0, `${(whole.length - last) * 8} bits`)
})

t.test('the same damage below the barrier is refused, and nothing is touched', async (t) => {
  for (const how of ['after a crash', 'after a clean close'] as const) {
    // A clean open reads from the last index entry on: this far apart, that is all of it.
    const { bench, file, positions } = await threeLast(1 << 20)
    const log = await bench.open()
    await flush(log)
    if (how === 'after a clean close') await log.close()
    const whole = bench.disk.bytesOf(file)
    const from = positions[9] ?? 0
    let failures = 0
    let attempts = 0
    const tryIt = async (damaged: Buffer): Promise<void> => {
      attempts++
      bench.kill()
      bench.disk.damage(file, () => damaged)
      const before = bench.contents()
      const refused = await bench.open().then(
        () => null,
        (error: unknown) => error,
      )
      const isNamed =
        refused instanceof Faulted &&
        refused.door === 'bytes' &&
        /below the durable end/.test(refused.message)
      if (!isNamed || JSON.stringify(before) !== JSON.stringify(bench.contents())) failures++
    }
    for (let size = from; size < whole.length; size += 3) await tryIt(whole.subarray(0, size))
    for (let bit = from * 8; bit < whole.length * 8; bit += 7) {
      const flipped = Buffer.from(whole)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await tryIt(flipped)
    }
    t.equal(failures, 0, `${how}: ${attempts} damages`)
    bench.kill()
    bench.disk.damage(file, () => whole)
    const again = await bench.open()
    t.equal(again.end, 24, `${how}: undone, it opens`)
    t.equal((await readAll(again)).length, 24)
  }
})
