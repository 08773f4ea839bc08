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

  /** -1 before the first. */
  get current(): number {
    return this.#current
  }

  /**
   * The partition for a record of `bytes`. Partitions without a leader are passed over while there are others.
   * @param hasRoom the batch of the current partition takes it: what has begun is filled, for brokers pay by the batch
   */
  next(partitions: readonly PartitionMetadata[], bytes: number, hasRoom: boolean): number {
    const current = partitions[this.#current]
    const isDone = this.#bytes >= this.#switchBytes && !hasRoom
    if (current === undefined || current.leader < 0 || isDone) this.#choose(partitions)
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
