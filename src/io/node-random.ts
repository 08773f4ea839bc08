import { randomBytes } from 'node:crypto'
import type { Random } from './world.ts'

/**
 * Real chance: Math.random where only spread matters, the system's generator for what must not be guessed.
 */
export class NodeRandom implements Random {
  float(): number {
    return Math.random()
  }

  below(bound: number): number {
    return Math.floor(Math.random() * bound)
  }

  bytes(size: number): Buffer {
    return randomBytes(size)
  }
}
