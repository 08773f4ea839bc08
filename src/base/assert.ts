/**
 * What must hold inside the broker, checked in production too. A broken assertion is our own bug: the process
 * (or the partition) stops, and Raft is the recovery.
 */
export class AssertionFailed extends Error {
  override name = 'AssertionFailed'
}

/** @throws AssertionFailed when `condition` is false. `what` states what must hold, in the positive. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionFailed(`must hold: ${what}`)
}
