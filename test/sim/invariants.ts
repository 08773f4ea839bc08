/**
 * What must hold after every turn of every quorum member, seen from inside: watermarks only rise, what is committed is durable,
 * the log starts below what is committed. Looks on from outside; the code knows nothing of it.
 */
import { Member } from '../../src/replica/member.ts'
import type { Recorder } from './recorder.ts'

interface Seen {
  readonly highWatermark: number
  readonly start: number
  readonly epoch: number
}

/** Watches all members from now on. Returns what ends it. */
export function watchMembers(recorder: Recorder): () => void {
  const drain = Member.prototype.drain
  const seen = new WeakMap<Member, Seen>()
  Member.prototype.drain = function watched(this: Member): void {
    drain.call(this)
    const before = seen.get(this) ?? { highWatermark: 0, start: 0, epoch: 0 }
    for (const fault of faultsOf(this, before)) recorder.violate(`${this.name}: ${fault}`)
    seen.set(this, { highWatermark: this.highWatermark, start: this.log.start, epoch: this.epoch })
  }
  return () => {
    Member.prototype.drain = drain
  }
}

function* faultsOf({ log, highWatermark, epoch }: Member, before: Seen): Generator<string> {
  const { start, end } = log
  if (highWatermark < before.highWatermark)
    yield `high watermark ${highWatermark} after ${before.highWatermark}`
  if (start < before.start) yield `log start ${start} after ${before.start}`
  if (epoch < before.epoch) yield `epoch ${epoch} after ${before.epoch}`
  if (start > highWatermark && highWatermark > 0)
    yield `log start ${start} above the high watermark ${highWatermark}`
  if (highWatermark > end) yield `high watermark ${highWatermark} above the end ${end}`
  if (log.durablePosition > log.writtenPosition) yield 'durable what is not written'
}
