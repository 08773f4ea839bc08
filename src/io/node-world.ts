import { BufferPool } from '../base/buffer-pool.ts'
import { NodeClock } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeNet } from './node-net.ts'
import { NodeRandom } from './node-random.ts'
import type { World } from './world.ts'

/** The world as it is. Called once, by the composition root, which says how much memory may be kept. */
export function nodeWorld(): World {
  return {
    clock: new NodeClock(),
    disk: new NodeDisk(),
    net: new NodeNet(),
    random: new NodeRandom(),
    buffers: new BufferPool({ bytesMax: 0, sizeMin: 0 }),
  }
}
