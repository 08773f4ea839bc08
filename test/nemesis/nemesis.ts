import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { argumentsOf } from '../../bench/arguments.ts'
import { attack, type Report } from './attack.ts'
import { calm } from './calm.ts'
import { faults, whyNot } from './faults.ts'
import { isInRoom, runInRoom, whyNoRoom } from './room.ts'

const usage = `
Real brokers under attack, with clients that check.

    npm run nemesis -- --minutes 5 --faults kill,pause,isolate     faults at random, a quarter of the time none
    npm run nemesis -- --kills 200                                 kill -9 of random brokers, one after the other
    npm run nemesis -- --transfers 100                             leadership that moves, one after the other
    npm run nemesis -- --calm 5                                    so many minutes of load, and of nothing
    npm run nemesis -- --rounds term,pause,fsync,kill              just these, in this order

The last line is the verdict. Where namespaces can be made (root, or a user who may) each broker has a host of its own.
`

const values = argumentsOf(usage, {
  minutes: { type: 'string' },
  kills: { type: 'string' },
  transfers: { type: 'string', default: '0' },
  calm: { type: 'string' },
  rounds: { type: 'string' },
  faults: { type: 'string' },
  'lasts-ms': { type: 'string', default: '2000' },
  /** Where the report goes as JSON. */
  report: { type: 'string' },
  'keep-data': { type: 'boolean', default: false },
  brokers: { type: 'string', default: '3' },
  set: { type: 'string', multiple: true, default: [] },
})

if (!isInRoom() && whyNoRoom() === false) {
  process.exit(await runInRoom(fileURLToPath(import.meta.url), process.argv.slice(2)))
}
const possible = Object.keys(faults).filter((name) => whyNot(name) === false)
const named = values.faults?.split(',') ?? possible
const kills = values.kills === undefined ? null : Number(values.kills)
const settings = Object.fromEntries(values.set.map((text) => text.split('=') as [string, string]))
const say = (line: string): void => void process.stdout.write(`${line}\n`)
if (values.calm !== undefined) {
  const { electionsUnderLoad, electionsWhenIdle, ...figures } = await calm({
    seconds: Number(values.calm) * 60,
    settings,
    say,
  })
  const isSound = electionsUnderLoad + electionsWhenIdle === 0
  say(JSON.stringify(figures))
  say(
    isSound
      ? 'sound: nobody was elected'
      : `NOT SOUND: ${electionsUnderLoad} + ${electionsWhenIdle} elections that nothing caused`,
  )
  process.exit(isSound ? 0 : 1)
}
const isOnlyTransfers = values.transfers !== '0' && values.rounds === undefined
const rounds = isOnlyTransfers
  ? []
  : kills === null
    ? (values.rounds?.split(',') ?? null)
    : Array<string>(kills).fill('kill')
for (const name of [...named, ...(rounds ?? [])]) {
  const why = whyNot(name)
  if (why !== false) throw new Error(why)
}
const report = await attack({
  faults: named,
  rounds,
  minutes: Number(values.minutes ?? 2),
  lastsMs: Number(values['lasts-ms']),
  brokers: Number(values.brokers),
  keepData: values['keep-data'],
  transfers: Number(values.transfers),
  settings,
  say,
})
if (values.report !== undefined) writeFileSync(values.report, `${JSON.stringify(report, null, 2)}\n`)
process.stdout.write(`${verdictOf(report)}\n`)
process.exit(report.isSound ? 0 : 1)

function verdictOf({ isSound, faults, records, anomalies, violations }: Report): string {
  const done = Object.entries(faults).map(([name, count]) => `${count} ${name}`)
  const what = `${records} records, ${done.join(', ') || 'no fault'}`
  return isSound
    ? `sound: ${what}`
    : `NOT SOUND: ${anomalies.length} anomalies, ${violations.length} violations; ${what}`
}
