/** A member of a group in a process of its own, and what it has told so far. */
import { Peer } from './clients.ts'
import type { MemberArgs, MemberEvent } from './member.ts'

export class Member {
  readonly peer: Peer<MemberEvent>
  /** Offsets in the order in which they were read, and where an assignment began anew. */
  readonly read = new Map<number, number[]>()
  readonly values = new Map<string, string>()
  readonly committed = new Map<number, number>()
  readonly disorders: string[] = []
  readonly cooperative: boolean
  readonly orderly: boolean
  owned: number[] = []
  assignments = 0
  #seen = 0

  constructor(args: MemberArgs) {
    const node = args.library === 'kafkajs' || args.library === 'platformatic'
    this.peer = node ? Peer.node('member', args) : Peer.python('member', args)
    this.cooperative = args.strategy === 'cooperative-sticky'
    // after a rebalance @platformatic/kafka fetches from where it once was until it has looked up what is committed
    this.orderly = args.library !== 'platformatic'
  }

  /** Takes in what the member has told since. */
  look(): this {
    for (; this.#seen < this.peer.events.length; this.#seen++) this.#take(this.peer.events[this.#seen])
    return this
  }

  #take(told: MemberEvent | undefined): void {
    if (told?.event === 'assigned') {
      this.assignments++
      this.owned = this.cooperative
        ? [...this.owned, ...told.partitions].sort((a, b) => a - b)
        : told.partitions
      for (const partition of told.partitions)
        this.read.set(partition, [...(this.read.get(partition) ?? []), -1])
    } else if (told?.event === 'revoked') {
      this.owned = this.cooperative ? this.owned.filter((p) => !told.partitions.includes(p)) : []
    } else if (told?.event === 'committed') {
      this.committed.set(told.partition, told.offset)
    } else if (told?.event === 'records') {
      const offsets = this.read.get(told.partition) ?? []
      this.read.set(told.partition, offsets)
      for (const [index, value] of told.values.entries()) {
        const offset = told.offset + index
        const last = offsets.at(-1) ?? -1
        if (last !== -1 && offset !== last + 1)
          this.disorders.push(`${told.partition}: ${offset} after ${last}`)
        offsets.push(offset)
        this.values.set(`${told.partition}:${offset}`, value)
      }
    }
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return this.peer.until(what, () => {
      this.look()
      return holds()
    })
  }
}
