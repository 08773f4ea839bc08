/** Which partition a record goes to when its sender does not say. */
import type { PartitionMetadata } from './metadata.ts'
import { murmur2 } from './murmur2.ts'

/** @returns the partition's index, or null to leave it to the default */
export type Partitioner = (record: {
  readonly topic: string
  readonly key: Buffer | null
  readonly partitions: readonly PartitionMetadata[]
}) => number | null

/** Where Java, librdkafka (murmur2_random) and this client put a key. `partitionCount` above 0. */
export function partitionOfKey(key: Buffer, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount
}

/**
 * Records without a key stay with one partition until so many bytes went there, so that batches fill (KIP-480, KIP-794);
 * spread record by record, ten partitions would mean ten batches of a tenth.
 */
export class StickyPartition {
  readonly #switchBytes: number
  readonly #random: { float(): number }
  #current = -1
  #bytes = 0

  constructor(switchBytes: number, random: { float(): number }) {
    this.#switchBytes = switchBytes
    this.#random = random
  }

  /** The partition for a record of `bytes`. Partitions without a leader are passed over while there are others. */
  next(partitions: readonly PartitionMetadata[], bytes: number): number {
    const current = partitions[this.#current]
    if (current === undefined || current.leader < 0 || this.#bytes >= this.#switchBytes)
      this.#choose(partitions)
    this.#bytes += bytes
    return this.#current
  }

  #choose(partitions: readonly PartitionMetadata[]): void {
    const led = partitions.filter((partition) => partition.leader >= 0)
    const others = (led.length > 0 ? led : partitions).filter(
      (partition) => partition.index !== this.#current,
    )
    const chosen = others[Math.floor(this.#random.float() * others.length)]
    this.#current = chosen?.index ?? Math.max(this.#current, 0)
    this.#bytes = 0
  }
}
