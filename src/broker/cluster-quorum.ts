/**
 * What the leader of the cluster's quorum does beside deciding: brokers that do not vote get the log all the same, and brokers that
 * are taken out do not vote any more.
 */
import { Refused } from '../base/errors.ts'
import type { Clock } from '../io/world.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { Replica } from '../replica/replica.ts'

/** Of one replica of the cluster's log, as its leader knows it. Times of the wall clock, -1: never. */
export interface QuorumMember {
  readonly id: number
  readonly logEndOffset: number
  readonly lastFetchMs: number
  readonly lastCaughtUpMs: number
}

export interface QuorumDescription {
  readonly leaderId: number
  readonly epoch: number
  readonly highWatermark: number
  readonly voters: readonly QuorumMember[]
  readonly observers: readonly QuorumMember[]
}

export interface ClusterQuorumOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly replica: Replica
  readonly image: Readonly<ClusterState>
  readonly isAlive: (nodeId: number) => boolean
}

export class ClusterQuorum {
  readonly #options: ClusterQuorumOptions
  /** For whom the observers were last named: the epoch and they. */
  #told = ''

  constructor(options: ClusterQuorumOptions) {
    this.#options = options
  }

  /** Brokers have come or gone, or leadership has. Harmless at any time. */
  look(): void {
    const { replica, image } = this.#options
    if (!replica.isReady) return
    const observers = [...image.brokers.keys()].filter((id) => !replica.voters.includes(id))
    const told = `${replica.epoch} ${observers.join()}`
    if (told === this.#told) return
    this.#told = told
    replica.observe(observers)
  }

  /**
   * Sees to it that a broker does not vote: another one takes its place, when there is one that lives.
   * @throws Refused as Replica.changeVoters, INVALID_REQUEST when nobody would be left
   */
  async removeVoter(id: number): Promise<void> {
    const { replica, image, isAlive } = this.#options
    const { voters } = replica
    if (!voters.includes(id)) return
    const others = voters.filter((voter) => voter !== id)
    const spare = [...image.brokers.keys()].find((one) => one !== id && !voters.includes(one) && isAlive(one))
    const wanted = spare === undefined ? others : [...others, spare]
    if (wanted.length === 0)
      throw new Refused('INVALID_REQUEST', `broker ${id} is the last one of its cluster`)
    await replica.changeVoters(wanted)
  }

  /** @throws Refused NOT_LEADER_OR_FOLLOWER where it is not known */
  describe(): QuorumDescription {
    const { replica, nodeId, clock } = this.#options
    if (!replica.isReady) throw new Refused('NOT_LEADER_OR_FOLLOWER', 'this broker does not lead the cluster')
    const wallMs = (monotonicMs: number) =>
      monotonicMs < 0 ? -1 : Math.round(clock.now() - (clock.monotonic() - monotonicMs))
    const members = replica.progress().map(({ isVoter, id, endOffset, contactMs, caughtUpMs }) => ({
      isVoter,
      id,
      logEndOffset: endOffset,
      lastFetchMs: id === nodeId ? clock.now() : wallMs(contactMs),
      lastCaughtUpMs: id === nodeId ? clock.now() : wallMs(caughtUpMs),
    }))
    return {
      leaderId: nodeId,
      epoch: replica.epoch,
      highWatermark: replica.highWatermark,
      voters: members.filter(({ isVoter }) => isVoter),
      observers: members.filter(({ isVoter }) => !isVoter),
    }
  }
}
