/** MurmurHash 2 with Kafka's seed: where Java's producer puts a key. @source org.apache.kafka.common.utils.Utils#murmur2 */

const seed = 0x9747b28c
const m = 0x5bd1e995

/** A signed 32-bit hash, as in Java. */
export function murmur2(bytes: Buffer): number {
  const length = bytes.length
  let h = seed ^ length
  let i = 0
  for (const end = length - 3; i < end; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const left = length & 3
  if (left > 0) {
    if (left === 3) h ^= bytes[i + 2]! << 16
    if (left >= 2) h ^= bytes[i + 1]! << 8
    h = Math.imul(h ^ bytes[i]!, m)
  }
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}
