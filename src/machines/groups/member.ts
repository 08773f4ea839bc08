/** A member of a group, as its coordinator knows it. A value: whoever changes one makes another. */
import type { Token } from '../machine.ts'

export interface Member extends Offer {
  readonly id: string
  /** Set by the client: the member is static (KIP-345). */
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: Buffer
  /** Its parked request: a join while the group prepares a rebalance, a sync while it completes one; else null. */
  readonly waiting: Token | null
  /** It has never been answered, so it cannot send heartbeats, and a client that gave up would be waited for (KAFKA-7610). */
  readonly isNew: boolean
}

/** What a member says of itself with every join. */
export interface Offer {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** What the member can speak, its favourite first. */
  readonly protocols: readonly Protocol[]
}

export interface Protocol {
  readonly name: string
  /** The client's own bytes: passed on, never changed. */
  readonly metadata: Buffer
}

export const noAssignment = Buffer.alloc(0)

export function offerOf({ sessionTimeoutMs, rebalanceTimeoutMs, protocols }: Offer): Offer {
  return { sessionTimeoutMs, rebalanceTimeoutMs, protocols }
}

/** No bytes when the member does not speak the protocol. */
export function metadataOf(member: Member, protocol: string | null): Buffer {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? noAssignment
}

/** True when the member offers the same protocols with the same bytes in the same order. */
export function offersTheSame(member: Member, protocols: readonly Protocol[]): boolean {
  return (
    member.protocols.length === protocols.length &&
    member.protocols.every(({ name, metadata }, index) => {
      const other = protocols[index]
      return other !== undefined && other.name === name && other.metadata.equals(metadata)
    })
  )
}

/** A request that is parked is a sign of life; that of a new member is not (see `isNew`). */
export function isExcusedFromHeartbeats(member: Member): boolean {
  return member.waiting !== null && !member.isNew
}
