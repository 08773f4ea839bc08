/**
 * Who counts. A change goes through a joint configuration, in which nothing is won or committed without a majority of the old
 * voters *and* a majority of the new ones, each counted for itself:
 *
 *     {1 2 3}  --- mark: {1 2 3} to {2 3 4} --->  joint  --- that is committed, mark: {2 3 4} --->  {2 3 4}
 *
 * A configuration is in force from its append on, committed or not, and no longer when its mark is cut.
 * Single-server changes (thesis 4.1) were rejected: to replace one of three voters takes two of them, with a quorum of two or four
 * in between that is less available than either.  @source Raft 6; thesis 4.3
 */
import { assert } from '../base/assert.ts'

export interface Membership {
  readonly voters: readonly number[]
  /** In a joint configuration those it leads away from; else empty. */
  readonly outgoing: readonly number[]
  /** Disks of the voters, then of the outgoing ones; '' where unknown. Not looked at here; see replica/identities.ts. */
  readonly disks: readonly string[]
}

export interface PlacedMembership extends Membership {
  /** Of its mark; -1: what the quorum began with. */
  readonly position: number
}

export function isJoint(membership: Membership): boolean {
  return membership.outgoing.length > 0
}

/** Everybody who counts, in either set. */
export function members({ voters, outgoing }: Membership): number[] {
  return [...new Set([...voters, ...outgoing])]
}

export function isVoter({ voters, outgoing }: Membership, id: number): boolean {
  return voters.includes(id) || outgoing.includes(id)
}

export function isSoleVoter({ voters, outgoing }: Membership, id: number): boolean {
  return voters.length === 1 && voters[0] === id && outgoing.length === 0
}

export function haveSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one))
}

/** The configurations of a log from the newest that is surely committed on: in force is the last. */
export class Memberships {
  #list: PlacedMembership[]

  /** Rising; at least the one in force at the log's start. */
  constructor(list: readonly PlacedMembership[]) {
    assert(list.length > 0, 'a quorum has a configuration')
    this.#list = [...list]
  }

  get current(): PlacedMembership {
    return this.#list.at(-1) as PlacedMembership
  }

  /** The one in force for the unit at `position`. */
  at(position: number): PlacedMembership {
    return this.#list.findLast((one) => one.position < position) ?? (this.#list[0] as PlacedMembership)
  }

  /**
   * Who votes in the one in force, or did in one that it may yet fall back to: a voter that leaves may be the only one whose log is
   * long enough to win, until the mark that lets it go is committed.  @source thesis 4.2.2
   */
  mayCampaign(id: number, highWatermark: number): boolean {
    for (const one of this.#list.toReversed()) {
      if (isVoter(one, id)) return true
      if (one.position < highWatermark) return false
    }
    return false
  }

  append(membership: PlacedMembership): void {
    assert(membership.position > this.current.position, 'configurations follow each other')
    this.#list.push(membership)
  }

  /** The marks at and above `position` are gone. */
  truncate(position: number): void {
    while (this.current.position >= position) {
      assert(this.#list.length > 1, 'what is committed is never cut')
      this.#list.pop()
    }
  }

  /** Below `position` only the newest is needed. */
  trim(position: number): void {
    while ((this.#list[1]?.position ?? Infinity) < position) this.#list.shift()
  }

  reset(membership: PlacedMembership): void {
    this.#list = [membership]
  }
}
