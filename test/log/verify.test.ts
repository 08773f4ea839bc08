import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { nodeWorld } from '../../src/io/node-world.ts'
import { batchesOf, segmentFiles } from '../../src/log/dump.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import { verify } from '../../src/log/verify.ts'
import * as batch from '../../src/records/batch.ts'
import { BatchBuilder } from '../../src/records/records.ts'

const world = nodeWorld()
const expandedBytesMax = 1_000_000

/** A partition of three segments, closed in good order. */
async function closedLog(): Promise<string> {
  const folder = join(mkdtempSync(join(tmpdir(), 'lograft-verify-')), 'partition')
  t.teardown(() => rmSync(join(folder, '..'), { recursive: true, force: true }))
  const log = await openLog({
    world,
    folder,
    files: new FilePool({ disk: world.disk, openMax: 16 }),
    settings: {
      segmentBytesMax: 2048,
      segmentMs: Number.POSITIVE_INFINITY,
      indexIntervalBytes: 1024,
      indexBytesMax: 1_048_576,
      expandedBytesMax,
      producerExpirationMs: Number.POSITIVE_INFINITY,
      producersMax: 100,
    },
  })
  log.appendMark({ kind: 'epochStart', leaderId: 1 }, 1)
  for (let i = 0; i < 12; i++) {
    const builder = new BatchBuilder({ codec: i % 2 === 0 ? 'gzip' : 'none' })
    for (let n = 0; n < 3; n++) {
      builder.append({
        key: null,
        value: Buffer.from(String(i * n).repeat(250)),
        headers: [],
        timestamp: 1000 + i,
      })
    }
    const bytes = builder.build()
    batch.stamp(bytes, 0, { baseOffset: log.end, leaderEpoch: 1 })
    log.append(bytes)
  }
  log.write()
  await log.sync()
  await log.close()
  return folder
}

const segmentsIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.log'))
const check = (path: string) => verify({ disk: world.disk, path, expandedBytesMax })

t.test('a sound log: everything is counted, nothing is found', async (t) => {
  const folder = await closedLog()
  t.ok(segmentsIn(folder).length >= 3)
  t.match(await check(folder), { batches: 12, records: 36, findings: [] })
  t.match(await check(join(folder, '..')), { batches: 12 }, 'also from a folder above')
  const offsets: number[] = []
  for (const segment of segmentFiles(world.disk, folder)) {
    for await (const { summary } of batchesOf(world.disk, segment)) offsets.push(summary.baseOffset)
  }
  t.strictSame(offsets, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33])
})

t.test('every kind of damage is found, where it is, and nothing is changed', async (t) => {
  const original = await closedLog()
  const damaged = async (damage: (folder: string) => void) => {
    const folder = join(mkdtempSync(join(tmpdir(), 'lograft-verify-')), 'p')
    cpSync(original, folder, { recursive: true })
    damage(folder)
    const before = readdirSync(folder).map((name) => readFileSync(join(folder, name)))
    const { findings } = await check(folder)
    t.same(
      readdirSync(folder).map((name) => readFileSync(join(folder, name))),
      before,
      'files are as they were',
    )
    rmSync(join(folder, '..'), { recursive: true })
    return findings
  }
  const flip = (path: string, at: number) => {
    const bytes = readFileSync(path)
    bytes[at] = (bytes[at] ?? 0) ^ 4
    writeFileSync(path, bytes)
  }
  const names = segmentsIn(original)
  const last = names.at(-1) ?? ''
  t.match(await damaged((folder) => flip(join(folder, names[1] ?? ''), 100)), [
    { kind: 'damage', position: 0, detail: /checksum/ },
    { kind: 'damage', detail: /comes next/ },
  ])
  t.match(await damaged((folder) => rmSync(join(folder, names[1] ?? ''))), [
    { kind: 'damage', detail: /comes next/ },
  ])
  t.match(await damaged((folder) => rmSync(join(folder, names[0] ?? ''))), [
    { kind: 'damage', detail: /begins at 0, but its first segment at 15/ },
  ])
  t.match(await damaged((folder) => truncateSync(join(folder, last), 70)), [
    { kind: 'damage', detail: /short/ },
    { kind: 'damage', detail: /was durable up to 36/ },
  ])
  t.match(
    await damaged((folder) => writeFileSync(join(folder, last), Buffer.alloc(30, 7), { flag: 'a' })),
    [{ kind: 'torn', detail: /short/ }],
    'what is past the barrier was never acknowledged',
  )
  t.match(await damaged((folder) => flip(join(folder, names[0] ?? ''), 15)), [
    { kind: 'damage', detail: /epoch/ },
  ])
  t.match(await damaged((folder) => writeFileSync(join(folder, 'barrier'), 'nonsense')), [
    { kind: 'damage', path: /barrier$/ },
  ])
})
