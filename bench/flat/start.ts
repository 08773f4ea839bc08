/** A start after a clean stop. */
import { BrokerProcess } from '../broker-process.ts'
import type { Cost } from './row.ts'

/** Starts a broker on the folder of one that was stopped, and stops it. The cost: milliseconds to the ready line. */
export async function start({ broker: { folder } }: { readonly broker: BrokerProcess }): Promise<Cost> {
  const again = await BrokerProcess.start({}, folder)
  const { now: memory } = again.memory()
  await again.stop({ keepData: true })
  return { cost: again.readyMs, speed: Number.NaN, memory }
}
