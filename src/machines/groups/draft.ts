/**
 * One decision about one group: a copy of the group to change, and what follows for others. The state itself is only read;
 * the copy takes the group's place when the decision is applied (`groupBecame`).
 */
import { assert } from '../../base/assert.ts'
import type { ErrorName } from '../../base/error-codes.ts'
import type { Decision, Now, ReplyTo, Token } from '../machine.ts'
import type { GroupVolatile } from './apply.ts'
import type { GroupChange } from './changes.ts'
import type { GroupReplies, JoinReply, SyncReply } from './commands.ts'
import { copyOf, type Group, membershipOf } from './group.ts'
import type { Member } from './member.ts'
import type { GroupSettings } from './settings.ts'

export type GroupDecision = Decision<GroupChange, GroupVolatile, GroupReplies>
export type GroupReply = GroupReplies[keyof GroupReplies]

export class Draft {
  readonly group: Group
  readonly #changes: GroupChange[] = []
  readonly #replies: ReplyTo<GroupReply>[] = []

  constructor(
    group: Readonly<Group>,
    readonly now: Now,
    readonly settings: GroupSettings,
  ) {
    this.group = copyOf(group)
  }

  get decision(): GroupDecision {
    const volatile: GroupVolatile[] = [{ type: 'groupBecame', group: this.group }]
    return { changes: this.#changes, volatile, replies: this.#replies }
  }

  reply(to: Token, reply: GroupReply): void {
    this.#replies.push({ to, reply })
  }

  refuse(to: Token, refused: ErrorName, detail: string): void {
    this.#replies.push({ to, refused, detail })
  }

  /** Replicates the group as it is now. */
  store(): void {
    this.#changes.push({
      type: 'groupStored',
      groupId: this.group.id,
      membership: membershipOf(this.group),
    })
  }

  /** Puts a member in, or in its old place. */
  put(member: Member): void {
    this.group.members.set(member.id, member)
    this.group.pending.delete(member.id)
  }

  /** Parks a request of the member. One that was parked before is from a client that asked again. */
  park(member: Member, token: Token): void {
    if (member.waiting !== null) {
      this.refuse(member.waiting, 'REBALANCE_IN_PROGRESS', 'the member has sent this request again')
    }
    this.put({ ...member, waiting: token })
  }

  /** Answers the member's parked request, if there is one; it is back in its session. */
  answer(member: Member, reply: JoinReply | SyncReply): Member {
    if (member.waiting === null) return member
    this.reply(member.waiting, reply)
    return this.#answered(member)
  }

  refuseParked(member: Member, refused: ErrorName, detail: string): Member {
    if (member.waiting === null) return member
    this.refuse(member.waiting, refused, detail)
    return this.#answered(member)
  }

  #answered(member: Member): Member {
    const answered = { ...member, waiting: null }
    this.put(answered)
    this.renew(answered)
    return answered
  }

  renew(member: Member, timeoutMs = member.sessionTimeoutMs): void {
    this.group.sessions.set(member.id, this.now.monotonicMs + timeoutMs)
  }

  /** Takes a member, or an id that has not joined, out of the group. Nothing of it may be parked. */
  remove(id: string): void {
    const { group } = this
    const member = group.members.get(id)
    assert(member === undefined || member.waiting === null, 'a member that goes has been answered')
    group.members.delete(id)
    group.pending.delete(id)
    group.unsynced.delete(id)
    group.sessions.delete(id)
    if (group.leader === id) {
      const [next] = group.members.keys()
      group.leader = next ?? null
    }
  }

  become(phase: Group['phase']): void {
    this.group.phase = phase
    this.group.changedMs = this.now.wallMs
  }
}
