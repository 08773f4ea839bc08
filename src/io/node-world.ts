import { NodeClock } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeNet } from './node-net.ts'
import { NodeRandom } from './node-random.ts'
import type { World } from './world.ts'

/** The world as it is. Called once, by the composition root. */
export function nodeWorld(): World {
  return { clock: new NodeClock(), disk: new NodeDisk(), net: new NodeNet(), random: new NodeRandom() }
}
