/** Where the clients put a key, computed independently of them. */

const CRC32 = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** librdkafka's default (consistent_random): CRC-32 of the key modulo the number of partitions. */
export function consistent(key: Buffer, partitions: number): number {
  let crc = -1
  for (const byte of key) crc = (crc >>> 8) ^ (CRC32[(crc ^ byte) & 0xff] ?? 0)
  return (~crc >>> 0) % partitions
}

/** Java's default, also of kafka-python, kafkajs 2 and others: murmur2 of the key, made positive, modulo the partitions. */
export const murmur2 = (key: Buffer, partitions: number): number =>
  (murmur2Hash(key) & 0x7fffffff) % partitions

/** The 32 bits, unsigned, with the seed that Kafka's clients share. */
export function murmur2Hash(key: Buffer): number {
  const m = 0x5bd1e995
  let hash = 0x9747b28c ^ key.length
  const whole = key.length & ~3
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(key.readInt32LE(at), m)
    k ^= k >>> 24
    hash = Math.imul(hash, m) ^ Math.imul(k, m)
  }
  const rest = key.length - whole
  if (rest === 3) hash ^= (key[whole + 2] ?? 0) << 16
  if (rest >= 2) hash ^= (key[whole + 1] ?? 0) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (key[whole] ?? 0), m)
  hash ^= hash >>> 13
  hash = Math.imul(hash, m)
  return (hash ^ (hash >>> 15)) >>> 0
}
