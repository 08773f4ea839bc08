/** What must hold of one quorum, seen as a whole: see quorums.ts, which looks after each turn of each member. */
import type { Log } from '../../src/log/log.ts'
import { haveSame, isVoter, type Membership, members } from '../../src/raft/membership.ts'
import type { Raft } from '../../src/raft/raft.ts'
import type { Entries } from '../../src/replica/entries.ts'
import type { Member } from '../../src/replica/member.ts'

/** One member as it was after its last turn. */
export interface Seen {
  member: Member
  raft: Raft<Entries>
  highWatermark: number
  /** Position. */
  committed: number
  start: number
  epoch: number
  /** Position; survives the process. */
  durable: number
  role: Raft<Entries>['role']
  /** Position of the configuration in force. */
  configured: number
  /** How often its log was cut. */
  cuts: number
  /** It was taken out and came again with nothing: what it had said before is void, and its leader finds out with the next probe. */
  isAnew: boolean
  /** Its process has ended. */
  isOver: boolean
}

/** One quorum, over all its members and their lives. */
export interface Quorum {
  readonly name: string
  readonly seen: Map<number, Seen>
  /** By epoch, who led it. */
  readonly leaders: Map<number, number>
  /** The epochs of what was committed, from `committedFrom` on. */
  readonly epochs: number[]
  committedFrom: number
  /** How far, and by the leader of which epoch that was done last. */
  readonly commits: { epoch: number; position: number }[]
  /** Where written counts as durable, little of this can be asked for. */
  isUnsynced: boolean
}

/** Which majority lacks it; null when none does. */
export function heldBy(
  quorum: Quorum,
  membership: Membership,
  position: number,
  epoch: number,
): string | null {
  for (const voters of [membership.voters, membership.outgoing]) {
    const holders = voters.filter((voter) => {
      const one = quorum.seen.get(voter)
      return one !== undefined && one.durable >= position && agrees(one.member.log, position, epoch)
    })
    if (voters.length > 0 && holders.length <= voters.length / 2)
      return `and durable on [${holders.join(' ')}] of [${voters.join(' ')}] only`
  }
  return null
}

/** As far as its log still knows. */
function agrees(log: Log, position: number, epoch: number): boolean {
  const isInside = position > log.base.position && position <= log.endPosition
  return !isInside || log.epochBefore(position) === epoch
}

export function checkRestart(quorum: Quorum, before: Seen, now: Seen, violate: (what: string) => void): void {
  if (quorum.isUnsynced || now.member.log.endPosition >= before.durable) return
  violate(`${before.durable} were durable, and after a restart the log ends at ${now.member.log.endPosition}`)
}

export function* regressions(now: Seen, before: Seen): Generator<string> {
  if (now.highWatermark < before.highWatermark)
    yield `high watermark ${now.highWatermark} after ${before.highWatermark}`
  if (now.committed < before.committed) yield `${now.committed} committed after ${before.committed}`
  if (now.start < before.start) yield `log start ${now.start} after ${before.start}`
  if (now.epoch < before.epoch) yield `epoch ${now.epoch} after ${before.epoch}`
}

export function* faultsOf({ member, highWatermark }: Seen): Generator<string> {
  const { start, end, base, durablePosition, writtenPosition } = member.log
  // Who was just installed or opened knows of nothing committed but where its log begins: the batch that holds the start.
  if (start > highWatermark && highWatermark > 0 && highWatermark !== base.offset)
    yield `log start ${start} above the high watermark ${highWatermark}`
  if (highWatermark > end) yield `high watermark ${highWatermark} above the end ${end}`
  if (durablePosition > writtenPosition) yield 'durable what is not written'
}

/**
 * Who could still be elected by these voters without what is committed up to `position`, and so undo it; null: nobody. That a majority
 * holds it is not enough where a later epoch has begun elsewhere. Voters are asked as they would be after a loss of power.
 * @source Raft, figure 8
 */
export function electableWithout(
  { seen }: Quorum,
  membership: Membership,
  position: number,
  epoch: number,
): string | null {
  for (const candidate of members(membership)) {
    const log = seen.get(candidate)?.member.log
    if (log === undefined || (log.endPosition >= position && agrees(log, position, epoch))) continue
    const wouldVote = (voter: number): boolean => {
      const other = seen.get(voter)?.member.log
      if (other === undefined || voter === candidate) return true
      const { durablePosition } = other
      const lastEpoch = other.epochBefore(durablePosition)
      return log.lastEpoch > lastEpoch || (log.lastEpoch === lastEpoch && log.endPosition >= durablePosition)
    }
    const isElectable = [membership.voters, membership.outgoing].every(
      (voters) => voters.length === 0 || voters.filter(wouldVote).length > voters.length / 2,
    )
    if (isElectable) return `and n${candidate}, which lacks it, can still be elected`
  }
  return null
}

/** What a leader believes of other voters that is not so: it counts on it. Who has gone on to a later epoch may have been cut since. */
export function* overrated(
  { seen }: Quorum,
  { raft, member, epoch }: Seen,
  isKnown: (node: number) => boolean,
): Generator<string> {
  const { log } = member
  for (const { id, durable } of raft.progress(0)) {
    const other = seen.get(id)
    const isCounted = isVoter(raft.membership, id) && !raft.isEstranged(id) && isKnown(id)
    if (other === undefined || other.isAnew || other.epoch > epoch || !isCounted) continue
    if (durable > log.endPosition || durable < log.base.position) {
      if (durable > log.endPosition)
        yield `counts on ${durable} of n${id}, and ends at ${log.endPosition} itself`
    } else if (other.durable < durable || !agrees(other.member.log, durable, log.epochBefore(durable)))
      yield `counts on ${durable} of n${id}, which does not hold it`
  }
}

/** The configuration in force is the newest that the log holds: asked after a cut, which may have taken it away. */
export function misconfigured({ raft, member: { log } }: Seen): string | null {
  const newest = log.marks(0, log.endPosition).findLast(({ mark }) => mark.kind === 'voters')?.mark
  const { voters, outgoing, position } = raft.membership
  if (newest?.kind !== 'voters')
    return position < 0 ? null : `goes by the voters at ${position}, which were cut`
  if (haveSame(newest.voters, voters) && haveSame(newest.outgoing, outgoing)) return null
  return `goes by the voters ${voters.join(' ')} of [${outgoing.join(' ')}], and the newest in its log are others`
}
