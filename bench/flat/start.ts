/** A start after a clean stop, on logs that are not in memory. */
import { BrokerProcess } from '../broker-process.ts'
import { coolDown } from '../load/cold.ts'
import type { Cost } from './row.ts'

/** Starts a broker on the folder of one that was stopped, and stops it. The cost: milliseconds to the ready line. */
export async function start({ broker: { folder } }: { readonly broker: BrokerProcess }): Promise<Cost> {
  coolDown(folder)
  const again = await BrokerProcess.start({}, folder)
  const { now: memory } = again.memory()
  await again.stop({ keepData: true })
  return { cost: again.readyMs, speed: Number.NaN, memory }
}
