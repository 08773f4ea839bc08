/** What the fixtures hold, and other bytes to compress. */
import { readFileSync } from 'node:fs'

const folder = new URL('../../../test/records/fixtures/', import.meta.url)

export function fixture(name: string): Buffer {
  return readFileSync(new URL(name, folder))
}

/** Value of record `i` in every fixture. */
export function line(i: number): string {
  const city = ['Oslo', 'Zürich', 'São Paulo', '東京'][i % 4] ?? ''
  const note = `the quick brown fox jumps over the lazy dog ${(i * 7919) % 1009}`
  return `{"id":${i},"name":"user-${i % 97}","city":"${city}","note":"${note}"}`
}

/** `size` bytes that compress well. */
export function text(size: number): Buffer {
  const lines: string[] = []
  for (let i = 0, bytes = 0; bytes < size; i++) {
    const next = `${line(i)}\n`
    lines.push(next)
    bytes += next.length
  }
  return Buffer.from(lines.join('')).subarray(0, size)
}

/** A small generator of numbers in [0, 2^32), the same for the same seed. */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** `size` bytes that do not compress. */
export function noise(size: number, seed = 1): Buffer {
  const next = chance(seed)
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = next()
  return bytes
}
