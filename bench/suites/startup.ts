/** From the command to the ready line, and the memory of a broker that does nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { BrokerProcess } from '../broker-process.ts'
import type { Row, Suite } from '../report.ts'
import { median } from '../statistics.ts'

export const startup: Suite = async ({ isQuick }) => {
  const count = isQuick ? 5 : 20
  const fresh: number[] = []
  const again: number[] = []
  const bare: number[] = []
  const idle: number[] = []
  for (let i = 0; i < count; i++) {
    bare.push(await bareNode())
    const first = await BrokerProcess.start()
    fresh.push(first.readyMs)
    idle.push(first.memory().now)
    await first.stop({ keepData: true })
    const second = await BrokerProcess.start({}, first.folder)
    again.push(second.readyMs)
    await second.stop()
  }
  const row = (what: string, unit: string, values: number[]): Row => ({
    what,
    unit,
    min: Math.round(Math.min(...values)),
    median: Math.round(median(values)),
    max: Math.round(Math.max(...values)),
  })
  return [
    row('node alone (node -e 0)', 'ms', bare),
    row('start, new data folder', 'ms', fresh),
    row('start again', 'ms', again),
    row('memory when ready', 'MB', idle),
  ]
}

async function bareNode(): Promise<number> {
  const begun = performance.now()
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
  return performance.now() - begun
}
