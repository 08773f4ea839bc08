/** Where the members of a quorum stand, in offsets. */
import type { Log } from '../log/log.ts'
import { members } from '../raft/membership.ts'
import type { Raft } from '../raft/raft.ts'
import type { Entries } from './entries.ts'
import type { ReplicaProgress } from './replica.ts'

/** On the leader; [] on others. */
export function standings(raft: Raft<Entries>, log: Log, nowMs: number): readonly ReplicaProgress[] {
  if (raft.role !== 'leader') return []
  const voters = members(raft.membership)
  // Of what is gone from the log only its end is known as an offset.
  const offsetAt = (position: number): number => (position < log.base.position ? 0 : log.offsetAt(position))
  const own = {
    id: raft.id,
    isVoter: voters.includes(raft.id),
    endOffset: log.end,
    durableOffset: log.offsetAt(raft.durablePosition),
    contactMs: nowMs,
    caughtUpMs: nowMs,
  }
  const others = raft.progress(nowMs).map(({ id, matched, durable, contactMs, caughtUpMs }) => ({
    id,
    isVoter: voters.includes(id),
    endOffset: offsetAt(matched),
    durableOffset: offsetAt(durable),
    contactMs,
    caughtUpMs,
  }))
  return [own, ...others]
}
