/**
 * A short attack on three real brokers: kills, a pause, a SIGTERM, a lost host, a disk that refuses to sync; nothing acknowledged may be
 * lost, doubled or told differently later. LOGRAFT_TEST_NEMESIS: other rounds, as `npm run nemesis -- --rounds` takes them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { environment, withoutLoader } from '../wire/broker.ts'
import type { Report } from './attack.ts'
import { whyNot } from './faults.ts'
import { whyNoRoom } from './room.ts'

t.setTimeout(240_000)

const program = fileURLToPath(new URL('./nemesis.js', import.meta.url))
const everywhere = ['kill', 'kill-leader', 'term', 'pause-leader', 'kill-controller', 'damage']

t.test('three brokers under attack', async (t) => {
  const absent = whyNoRoom()
  if (absent !== false) t.comment(`no lost links: ${absent}`)
  const noStrace = whyNot('fsync')
  if (noStrace !== false) t.comment(noStrace)
  const rounds = process.env.LOGRAFT_TEST_NEMESIS?.split(',') ?? [
    ...everywhere,
    ...(absent === false ? ['isolate'] : []),
    ...(noStrace === false ? ['fsync'] : []),
  ]
  const folder = mkdtempSync(join(tmpdir(), 'lograft-nemesis-report-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'report.json')
  const args = [program, '--rounds', rounds.join(','), '--lasts-ms', '1500', '--report', file]
  const [command, commandArgs] = withoutLoader(process.execPath, ...args)
  const child = spawn(command, commandArgs, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) t.comment(said)
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  t.same(report.anomalies, [], 'the history has no anomaly')
  t.same(report.violations, [], 'nothing happened that must not')
  t.same(report.surfaced, {}, 'no application heard of an error')
  t.ok(
    report.acked > 500 && report.read > report.records,
    `${report.acked} acknowledged, ${report.read} read`,
  )
  t.equal(
    Object.values(report.faults).reduce((sum, count) => sum + count, 0),
    rounds.length,
    'every fault was carried out',
  )
  t.ok(report.downtimesMs.length > 0, 'leaders were lost')
  t.comment(said.trim().split('\n').slice(-3).join('\n'))
})
