/**
 * The history checker: what a log must never do to its clients, one small pass for each class.
 *
 * Room is left for transactions (precommitted reads, G0, G1c, torn, exactly once): each is one more Check.
 * @source jepsen/tests/kafka.clj for the classes it has; the others are named after what they defend
 */
import { commitRegressions } from './commits.ts'
import { replicaDifferences } from './copies.ts'
import type { Anomaly, History } from './history.ts'
import { offsetHoles } from './holes.ts'
import { lostWrites, unseen } from './losses.ts'
import { duplicates, inconsistentOffsets } from './offsets.ts'
import { pollOrder } from './polls.ts'
import { impossibleReads, readsAboveHighWatermark } from './reads.ts'
import { retention } from './retention.ts'
import { realtimeOrder, sendOrder } from './sends.ts'
import { type Check, viewOf } from './structures.ts'
import { staleHighWatermarks, watermarkRegressions } from './watermarks.ts'

const checks: readonly Check[] = [
  inconsistentOffsets,
  duplicates,
  impossibleReads,
  readsAboveHighWatermark,
  lostWrites,
  unseen,
  pollOrder,
  sendOrder,
  realtimeOrder,
  watermarkRegressions,
  staleHighWatermarks,
  offsetHoles,
  commitRegressions,
  retention,
  replicaDifferences,
]

export function check(history: History): Anomaly[] {
  const view = viewOf(history)
  return checks.flatMap((one) => [...one(view)])
}
