import { BufferPool, type PooledMemory } from '../src/base/buffer-pool.ts'

/** Everything is pooled, and what is given back is overwritten at once: whoever looks at it then does not see what was there. */
export class PoisonedBuffers extends BufferPool {
  constructor() {
    super({ bytesMax: 16 * 1024 * 1024, sizeMin: 1 })
  }

  override giveBack(memory: PooledMemory): void {
    Buffer.from(memory).fill(0xdb)
    super.giveBack(memory)
  }
}
