/** The configurations that a log holds, as the core wants them. */
import type { Log, PlacedMark } from '../log/log.ts'
import type { Membership, PlacedMembership } from '../raft/membership.ts'

/** Those in `marks`, in order. */
export function membershipsIn(marks: readonly PlacedMark[]): PlacedMembership[] {
  const memberships: PlacedMembership[] = []
  for (const { mark, position } of marks) {
    if (mark.kind !== 'voters') continue
    const { voters, outgoing, disks } = mark
    memberships.push({ voters, outgoing, disks, position })
  }
  return memberships
}

/** All that still matters: the one in force at the log's start is kept below it, see log/marks.ts. */
export function membershipsOf(log: Log, initial: Membership): PlacedMembership[] {
  return [{ ...initial, position: -1 }, ...membershipsIn(log.marks(0, log.endPosition))]
}
