/** What runs on a thread of compressor.ts: one batch's records in, the same compressed out; null when that cannot be done here. */
import { parentPort } from 'node:worker_threads'
import { type Codec, compress } from '../src/records/codecs.ts'

export interface CompressionTask {
  readonly codec: Codec
  readonly level: number | undefined
  readonly bytes: Uint8Array
}

export interface CompressionOutcome {
  readonly bytes: Uint8Array | null
}

parentPort?.on('message', ({ codec, level, bytes }: CompressionTask) => {
  let outcome: CompressionOutcome = { bytes: null }
  try {
    const records = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    // A copy of its own: what codecs return may be a part of a larger buffer, which cannot change hands.
    outcome = { bytes: new Uint8Array(compress(codec, records, level)) }
  } catch {
    // Whoever asked does it himself then, and shows what is wrong.
  }
  parentPort?.postMessage(outcome, outcome.bytes === null ? [] : [outcome.bytes.buffer as ArrayBuffer])
})
