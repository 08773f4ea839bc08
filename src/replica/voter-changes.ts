/** Who votes in one quorum and with which disk, as its member has to know it; and who waits for a change of that. */
import { Refused } from '../base/errors.ts'
import type { Log } from '../log/log.ts'
import type { Event } from '../raft/event.ts'
import { haveSame, isJoint } from '../raft/membership.ts'
import type { Raft } from '../raft/raft.ts'
import type { Entries } from './entries.ts'
import type { Identities } from './identities.ts'
import type { ReplicaEvent } from './replica-event.ts'

export interface VoterChangesOptions {
  readonly name: string
  readonly log: Log
  readonly raft: Raft<Entries>
  readonly identities: Identities
  readonly nowMs: () => number
  readonly step: (event: Event<Entries>) => void
  /** Where written counts as durable, a loss of power makes a voter forget, and that was chosen. */
  readonly isWrittenDurable: () => boolean
  readonly tell: (level: ReplicaEvent['level'], event: ReplicaEvent['event'], message: string) => void
}

interface Wanted {
  readonly voters: readonly number[]
  readonly resolve: () => void
  readonly reject: (refused: Refused) => void
}

export class VoterChanges {
  readonly #options: VoterChangesOptions
  /** Of the mark that was looked at last. */
  #position: number
  #wanted: Wanted | null = null

  constructor(options: VoterChangesOptions) {
    this.#options = options
    this.#position = options.raft.membership.position
    options.identities.adopt(options.log)
  }

  /** As leader. @throws Refused; see Member#changeVoters */
  async change(voters: readonly number[]): Promise<void> {
    const { name, raft, step, nowMs } = this.#options
    if (voters.length === 0 || new Set(voters).size < voters.length) {
      throw new Refused(
        'INVALID_REPLICA_ASSIGNMENT',
        `no voters, or some of them twice: ${voters.join(', ')}`,
      )
    }
    if (this.#wanted !== null || raft.change !== 'none') {
      throw new Refused('REASSIGNMENT_IN_PROGRESS', `the voters of '${name}' are being changed`)
    }
    if (haveSame(voters, raft.membership.voters)) return
    await new Promise<void>((resolve, reject) => {
      this.#wanted = { voters, resolve, reject }
      step({ type: 'changeVoters', voters, nowMs: nowMs() })
    })
  }

  /** At the end of a turn: the configuration may have changed, by an append, a cut or a commit. */
  settle(isReady: boolean, leadershipLost: () => Refused): void {
    const { raft, log, identities, tell } = this.#options
    const { membership, isMembershipCommitted } = raft
    if (membership.position !== this.#position) {
      this.#position = membership.position
      identities.adopt(log)
      this.recognize()
      const outgoing = isJoint(membership) ? `${membership.outgoing.join(', ')} to ` : ''
      tell('info', 'replica.voters', `${outgoing}${membership.voters.join(', ')}`)
    }
    const wanted = this.#wanted
    if (wanted === null) return
    const isDone = isMembershipCommitted && !isJoint(membership) && haveSame(membership.voters, wanted.voters)
    if (!isDone && isReady && raft.change !== 'none') return
    this.#wanted = null
    if (isDone) wanted.resolve()
    else if (!isReady) wanted.reject(leadershipLost())
    else wanted.reject(new Refused('NO_REASSIGNMENT_IN_PROGRESS', 'the change of voters was given up'))
  }

  refuse(refused: Refused): void {
    this.#wanted?.reject(refused)
    this.#wanted = null
  }

  /** What is known of disks has changed. */
  recognize(): void {
    const { identities, step, tell } = this.#options
    for (const { peer, isStranger } of identities.changes()) {
      step({ type: 'estranged', peer, isEstranged: isStranger })
      if (isStranger) tell('error', 'replica.voter.estranged', `voter ${peer} is here with another disk`)
    }
  }

  /** A voter has said that it lacks what it had called durable. */
  forgot(peer: number): void {
    const { step, tell, isWrittenDurable } = this.#options
    const what = `voter ${peer} has forgotten what it called durable`
    if (isWrittenDurable()) {
      tell('warn', 'replica.voter.estranged', `${what}, as it may where written counts as durable`)
      step({ type: 'estranged', peer, isEstranged: false })
    } else tell('error', 'replica.voter.estranged', `${what}: it counts no more`)
  }
}
