/**
 * One sign of life for all quiet quorums of a pair of brokers. Once in a heartbeat each broker tells each other `session`, when it said
 * so, and the newest such time that it has heard from the other.
 *
 * What a session means: as long as it lasts, every member of this broker that has given its word in it (see raft/heartbeats.ts) stands by
 * it: "I lead this epoch", or "I follow you in this epoch". A member that cannot any more, whatever the reason, ends the session of the
 * whole broker, and a process that starts begins another. So a pulse is worth one heartbeat, or one answer, for each quiet quorum,
 * and nobody has to keep a list of them.
 *
 * A peer is *well* while its pulses come, and ours are answered, within half an election time-out, all in one session. When one is not
 * well any more the members hear of it, and when it was last heard: they go on by themselves from there, with time enough left.
 */
import type { Random } from '../io/world.ts'

export interface Pulse {
  /** Not 0. */
  readonly session: number
  /** The sender's clock. */
  readonly sentMs: number
  /** The newest `sentMs` that the sender has of the receiver; -1: none. */
  readonly echoMs: number
}

export interface PulsesOptions {
  readonly random: Random
  /** Between two pulses. */
  readonly everyMs: number
  /** Without a pulse, or an answer to ours, a peer is not well. */
  readonly silenceMs: number
  readonly send: (peer: number, pulse: Pulse) => void
  readonly onWell: (peer: number, session: number) => void
  /** Times are of this broker's clock. `contactMs`: ours that was sent then was the last that it has answered. */
  readonly onUnwell: (peer: number, heardMs: number, contactMs: number) => void
}

interface Peer {
  session: number
  heardMs: number
  contactMs: number
  isWell: boolean
  /** To be sent back. */
  echoMs: number
  /** Pulses go to it until it is neither heard nor spoken to for so long. */
  neededMs: number
}

/** A broker that is gone gets no pulses any more after this. */
const goneMs = 60_000
const sessionMax = 0xffff_ffff

export class Pulses {
  readonly #options: PulsesOptions
  readonly #peers = new Map<number, Peer>()
  #session: number
  #dueMs = -Infinity

  constructor(options: PulsesOptions) {
    this.#options = options
    this.#session = 1 + Math.floor(options.random.float() * (sessionMax - 1))
  }

  get hasPeers(): boolean {
    return this.#peers.size > 0
  }

  /** What a word given to that peer is given in; 0: none is to be given, because it would not be kept alive. */
  sessionWith(peer: number): number {
    return this.#peers.get(peer)?.isWell === true ? this.#session : 0
  }

  /** When the newest pulse left that it has answered; -Infinity: never. */
  contactMs(peer: number): number {
    return this.#peers.get(peer)?.contactMs ?? -Infinity
  }

  isMissing(peer: number, nowMs: number): boolean {
    const known = this.#peers.get(peer)
    return known !== undefined && !known.isWell && nowMs - known.heardMs >= 2 * this.#options.silenceMs
  }

  /** Whether the pulses of that peer stand for a word that it gave in this session. */
  keeps(peer: number, session: number): boolean {
    const known = this.#peers.get(peer)
    return known?.isWell === true && known.session === session
  }

  /** Something is said to it: it gets pulses. */
  meet(peer: number, nowMs: number): void {
    const known = this.#peers.get(peer)
    if (known !== undefined) known.neededMs = nowMs
    else {
      const never = { session: 0, heardMs: -Infinity, contactMs: -Infinity, isWell: false, echoMs: -1 }
      this.#peers.set(peer, { ...never, neededMs: nowMs })
    }
  }

  receive(from: number, { session, sentMs, echoMs }: Pulse, nowMs: number): void {
    const peer = this.#peers.get(from)
    // Of one to whom there is nothing to say: there is no quorum with it.
    if (peer === undefined) return
    if (session !== peer.session) {
      this.#unwell(from, peer)
      peer.session = session
      peer.echoMs = -1
    }
    peer.heardMs = peer.neededMs = nowMs
    peer.echoMs = Math.max(peer.echoMs, sentMs)
    // (An echo of a process before this one, whose clock may have run ahead, is none.)
    if (echoMs <= nowMs) peer.contactMs = Math.max(peer.contactMs, echoMs)
    if (peer.isWell || !this.#isHeard(peer, nowMs)) return
    peer.isWell = true
    this.#options.onWell(from, session)
  }

  /** Sends what is due, and looks who has fallen silent. Called every so often. */
  tick(nowMs: number): void {
    const isDue = nowMs >= this.#dueMs
    if (isDue) this.#dueMs = nowMs + this.#options.everyMs
    for (const [id, peer] of this.#peers) {
      if (peer.isWell && !this.#isHeard(peer, nowMs)) this.#unwell(id, peer)
      if (nowMs - peer.neededMs > goneMs) this.#peers.delete(id)
      else if (isDue) this.#options.send(id, { session: this.#session, sentMs: nowMs, echoMs: peer.echoMs })
    }
  }

  /** Somebody here cannot stand by his word: nobody's counts any more. They hear of it with the next tick. */
  renounce(): void {
    this.#session = (this.#session % sessionMax) + 1
    this.#dueMs = -Infinity
  }

  #isHeard({ heardMs, contactMs }: Peer, nowMs: number): boolean {
    return nowMs - Math.min(heardMs, contactMs) < this.#options.silenceMs
  }

  #unwell(id: number, peer: Peer): void {
    if (!peer.isWell) return
    peer.isWell = false
    this.#options.onUnwell(id, peer.heardMs, peer.contactMs)
  }
}
