/**
 * A log is replaced by an empty one that begins further on, at a batch (`start.start` may lie inside it): what it lacks in
 * between, nobody has any more.
 *
 * The journal's new name is the moment: before it a crash finds the whole old log (only the barrier lies
 * lower than it could), after it the new start, with files of the old log below, as after a raise of the
 * start that was cut short.
 */
import { Faulted } from '../base/errors.ts'
import type { Durability } from './durability.ts'
import type { NewStart } from './log.ts'
import { decode } from './producer-snapshots.ts'
import type { ProducerEntry } from './producers.ts'
import type { Recovered } from './recovery.ts'

/**
 * Nothing may wait to be written, and nothing else be under way. `moved`: the log is another one from here
 * on. @throws Faulted
 */
export async function resetFiles(
  { journal, segments, producers, snapshots }: Recovered,
  durability: Durability,
  start: NewStart,
  moved: () => void,
): Promise<void> {
  // What a crash leaves of the old log must not speak for its producers: it may be another history. To the old log this says nothing,
  // as it has another epoch there.
  const entries = producersIn(start)
  snapshots.write({ offset: start.offset, epoch: start.epoch, entries })
  await Promise.all([snapshots.sync(), durability.syncFolder()])
  // Else the end of the old log, which the barrier knows, would be missed as damage.
  durability.lower(journal.marks.base)
  await durability.lowerBarrier()
  await journal.reset(start)
  const old = segments.takeFrom(0)
  producers.restore(entries, start.offset)
  moved()
  await durability.syncFolder()
  for (const segment of old) {
    durability.forget(segment)
    segments.remove(segment)
  }
  snapshots.removeAbove(start.offset)
  snapshots.removeBelow(start.offset)
  await durability.sync({ offset: start.offset, position: start.position })
}

function producersIn({ producers, offset }: NewStart): readonly ProducerEntry[] {
  if (producers.length === 0) return []
  const snapshot = decode(producers)
  if (snapshot === null)
    throw new Faulted('bytes', `what is known of the producers below ${offset} came damaged`)
  return snapshot.entries
}
