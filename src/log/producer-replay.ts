import type { Marks } from './marks.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { Producers } from './producers.ts'
import { scanFileNow } from './scan.ts'
import { damaged } from './segment.ts'
import type { Segments } from './segments.ts'

export interface ReplayOptions {
  readonly producers: Producers
  readonly snapshots: ProducerSnapshots
  readonly segments: Segments
  readonly marks: Marks
  /** Batches that are in no file yet. */
  readonly waiting: Iterable<Buffer>
}

/**
 * Brings producer states to `end`, from a snapshot and all batches behind it: when a truncation goes further
 * back than the states remember. At once, as the next append already relies on them. @throws Faulted
 */
export function readProducers(options: ReplayOptions, end: number): void {
  const { producers, snapshots, segments, marks } = options
  const base = marks.base.offset
  const snapshot = snapshots.newest(end, (offset) => (offset <= base ? null : marks.epochAt(offset - 1)))
  const from = snapshot?.offset ?? segments.list[0]?.baseOffset ?? base
  producers.restore(snapshot?.entries ?? [], from)
  for (const segment of segments.list) {
    if (segment.endOffset <= from) continue
    const { problem } = scanFileNow(segment.file, {
      ...segment.locate(Math.max(from, segment.baseOffset)),
      fileSize: segment.bytes,
      misplaced: () => null,
      onBatch: (bytes, at) => producers.append(bytes, at),
    })
    if (problem !== null) throw damaged(segment.file.path, problem.position, problem.detail)
  }
  for (const bytes of options.waiting) producers.append(bytes, 0)
}
