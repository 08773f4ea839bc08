/** What a broker does for its member of one quorum beside log and messages: it sends pulses, and knows whose word counts. */
import assert from 'node:assert/strict'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import type { Message } from '../../src/raft/message.ts'
import type { PeerPulses } from '../../src/raft/state.ts'
import { type Pulse, Pulses } from '../../src/replica/pulses.ts'
import type { Entry, Member } from './member.ts'

export type Said = Message<readonly Entry[]>

/** "I lead", or "I follow in", that epoch, as long as this session lasts. */
interface Word {
  readonly session: number
  readonly epoch: number
  readonly role: 'leader' | 'follower'
}

export class Host implements PeerPulses {
  readonly #pulses: Pulses
  readonly #words: Word[] = []
  #session = 0
  #isRenouncing = false
  #member: Member | null = null
  /** How often its word was given. */
  pledges = 0

  constructor(options: {
    seed: number
    everyMs: number
    silenceMs: number
    send: (to: number, pulse: Pulse) => void
  }) {
    const step = (event: Parameters<Member['raft']['step']>[0]): void => this.#member?.raft.step(event)
    this.#pulses = new Pulses({
      random: new SeededRandom(options.seed),
      everyMs: options.everyMs,
      silenceMs: options.silenceMs,
      send: (to, pulse) => {
        this.#session = pulse.session
        this.#check()
        options.send(to, pulse)
      },
      onWell: (peer, session) => step({ type: 'peerWell', peer, session }),
      onUnwell: (peer, heardMs, contactMs) => step({ type: 'peerUnwell', peer, heardMs, contactMs }),
    })
  }

  set member(member: Member) {
    this.#member = member
  }

  sessionWith(peer: number): number {
    return this.#isRenouncing ? 0 : this.#pulses.sessionWith(peer)
  }

  isMissing(peer: number, nowMs: number): boolean {
    return this.#pulses.isMissing(peer, nowMs)
  }

  contactMs(peer: number): number {
    return this.#pulses.contactMs(peer)
  }

  readonly renounce = (): void => {
    this.#isRenouncing = true
  }

  tick(peers: readonly number[], nowMs: number): void {
    if (this.#isRenouncing) {
      this.#isRenouncing = false
      this.#words.length = 0
      this.#pulses.renounce()
      this.#member?.raft.step({ type: 'renounced' })
    }
    for (const peer of peers) this.#pulses.meet(peer, nowMs)
    this.#pulses.tick(nowMs)
  }

  receive(from: number, pulse: Pulse, nowMs: number): void {
    this.#pulses.receive(from, pulse, nowMs)
  }

  /** A message leaves: is there a word in it? */
  sends(message: Said): void {
    if ((message.type !== 'heartbeat' && message.type !== 'heartbeatReply') || message.session === 0) return
    const { epoch, session } = message
    const role = message.type === 'heartbeat' ? 'leader' : 'follower'
    this.pledges++
    if (!this.#words.some((word) => word.epoch === epoch && word.role === role && word.session === session)) {
      this.#words.push({ session, epoch, role })
    }
  }

  /** As its replica host does it: only a word whose session is heard counts. */
  checked(from: number, message: Said): Said {
    if (message.type !== 'heartbeat' && message.type !== 'heartbeatReply') return message
    return this.#pulses.keeps(from, message.session) ? message : { ...message, session: 0 }
  }

  /** Every word that was given in the session that lasts is true. */
  #check(): void {
    const member = this.#member
    if (member === null || this.#isRenouncing) return
    for (const { session, epoch, role } of this.#words) {
      if (session !== this.#session) continue
      const { raft } = member
      assert.ok(
        raft.role === role && raft.epoch === epoch,
        `${member.id} said that it is ${role} in epoch ${epoch}, and is ${raft.role} in epoch ${raft.epoch}`,
      )
    }
  }
}
