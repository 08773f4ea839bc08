/**
 * What brokers say to each other: the port that they listen on, and two connections (lanes) from each to each other.
 *
 *   peer-network.ts  the face: peers come and go, messages leave and arrive, requests are answered
 *   link.ts          the way to one peer: two lanes            lane.ts       one connection that is dialed, again and again
 *   inbound.ts       one connection that a peer has dialed     channel.ts    what both share: frames, queue, end
 *   handshake.ts     who is it? (proof.ts, acquaintances.ts)   message-codec.ts, message-sections.ts, places.ts  messages as bytes
 *   frames.ts        bytes as frames                           calls.ts      requests that wait for answers
 *
 * A connection carries messages and requests of who dialed it, and answers to them: each broker dials for what it has to say. So
 * what one of them cannot reach, or finds broken, never depends on the other to be mended, and there are never two to choose from.
 * (One pair of connections used both ways would be half as many sockets; it needs a rule for both dialing at once, and leaves a
 * broker that has moved unheard until the others learn where it is.)
 *
 * | what                                  | bound (setting)                        | beyond it                               |
 * |---------------------------------------|----------------------------------------|-----------------------------------------|
 * | connecting and greeting               | lograft.peer.connect.timeout.ms        | closed; tried again after a pause       |
 * | the pause                             | lograft.peer.backoff.ms, .max.ms       |                                         |
 * | silence                               | lograft.peer.idle.timeout.ms           | closed                                  |
 * | a frame before the greeting           | 4096 bytes                             | closed                                  |
 * | a frame after it                      | lograft.peer.frame.bytes.max           | closed; the sender does not send it     |
 * | what waits for one peer               | lograft.peer.{data,control}.queue.bytes.max | messages are dropped, sent again later |
 * | requests unanswered, by peer          | lograft.peer.calls.max                 | refused                                 |
 * | connections that came                 | lograft.peer.connections.max           | the oldest stranger goes, or the new one|
 *
 * Frames are summed, not signed: on a network where others may write into connections, TLS goes under them, as another Net.
 */
import { assert } from '../base/assert.ts'
import { type Faulted, messageOf, Refused } from '../base/errors.ts'
import type { Connection, Listener, Timer, World } from '../io/world.ts'
import type { Message } from '../raft/message.ts'
import type { Entries } from '../replica/entries.ts'
import type { Outbox, PeerMessage } from '../replica/outbox.ts'
import type { Pulse } from '../replica/pulses.ts'
import { Acquaintances } from './acquaintances.ts'
import { type PeerEvent, Reports } from './events.ts'
import { type Claim, type Met, type Self, Stranger } from './handshake.ts'
import { type Handler, Inbound } from './inbound.ts'
import { Link, type Peer } from './link.ts'
import type { PeerSettings } from './settings.ts'

/** Where messages arrive: the replica host. */
export interface Inbox {
  /** Returns whether there is such a replica. Where there is none, none is made. */
  receive(from: number, replica: string, message: Message<Entries>): boolean
  /** A peer lives. */
  pulse(from: number, pulse: Pulse): void
  /** What was sent to a peer may be lost, and sending again makes sense. */
  peerLost(peer: number): void
  /** Nobody listens where the peer did, and it says nothing: its process has ended. */
  peerGone(peer: number): void
  /** A peer was met, and has this disk. Said before anything that it says is handed over. */
  identify(peer: number, diskId: string): void
}

export interface PeerNetworkOptions {
  readonly world: Pick<World, 'clock' | 'net' | 'random' | 'buffers'>
  readonly nodeId: number
  /** A uuid, minted with the data folder. */
  readonly diskId: string
  /** '' until the cluster has formed. */
  readonly clusterId: () => string
  /** What all brokers of the cluster know; null for none. */
  readonly secret: Buffer | null
  readonly settings: PeerSettings
  readonly inbox: Inbox
  readonly onEvent: (event: PeerEvent) => void
  /** Both lanes to a peer are open, and before they were not. */
  readonly onConnected?: (peer: number) => void
}

/** Of one peer, for metrics. */
export interface PeerStatus {
  readonly id: number
  readonly isConnected: boolean
  readonly waitingBytes: number
  /** Since this broker knows it. */
  readonly droppedMessages: number
}

/** Connections are looked at this often for what has run out of time, and pinged; a fraction of the idle time-out if that is less. */
const checkMsMax = 1000

export class PeerNetwork implements Outbox {
  readonly #options: PeerNetworkOptions
  readonly #reports: Reports
  readonly #self: Self
  readonly #acquaintances = new Acquaintances()
  readonly #links = new Map<number, Link>()
  readonly #inbounds = new Set<Inbound>()
  readonly #handlers = new Map<number, Handler>()
  /** Kinds of requests that guests may make. */
  readonly #forGuests = new Set<number>()
  readonly #checkMs: number
  #listener: Listener | null = null
  #advertised: Address | null = null
  #timer: Timer | null = null
  #checkDueMs = 0
  #isClosed = false
  #onEmpty: (() => void) | null = null
  /** Messages to replicas that are not here. */
  unknownReplicas = 0

  constructor(options: PeerNetworkOptions) {
    const { world, settings, secret } = options
    this.#options = options
    this.#reports = new Reports(world.clock, options.onEvent)
    this.#checkMs = Math.min(checkMsMax, settings.idleTimeoutMs / 4)
    this.#self = {
      claim: () => this.#claim(),
      secret,
      frameBytesMax: settings.frameBytesMax,
      address: () => this.#advertised,
      check: (claim) => this.#acquaintances.check(claim, this.#claim()),
      nonce: () => world.random.bytes(32),
    }
    this.#tick()
  }

  /**
   * Listens; port 0 picks a free one. `advertised`: where peers reach this broker, if not there.
   * @throws Faulted('net') when it cannot
   */
  async listen(at: Address, advertised: Address | null = null): Promise<Address> {
    const listener = await this.#options.world.net.listen(
      at,
      (connection) => this.#accept(connection),
      (fault) => this.#refuse(fault.operation),
    )
    if (this.#isClosed) await listener.close()
    this.#listener = listener
    const { host, port } = listener
    this.#advertised = advertised ?? (isWildcard(host) ? null : { host, port })
    return { host, port }
  }

  /** All other brokers that there are. Those that are new are dialed, those that are gone are let go. */
  setPeers(peers: readonly Peer[]): void {
    assert(!this.#isClosed, 'peers come before the network closes')
    const others = peers.filter(({ id }) => id !== this.#options.nodeId)
    const stay = new Set(others.filter((peer) => !this.#isAnother(peer)).map(({ id }) => id))
    for (const id of this.#links.keys()) if (!stay.has(id)) this.#letGo(id)
    this.#acquaintances.set(others)
    for (const peer of others) {
      const link = this.#links.get(peer.id)
      if (link === undefined) this.#links.set(peer.id, this.#link(peer))
      else link.peer = peer
    }
    // Who came as a guest may be one of them now.
    for (const { met } of this.#inbounds) if (met !== null) this.#recognize(met.claim)
  }

  /** Messages to peers that are unknown, not connected or too slow are dropped; see `Inbox.peerLost`. */
  send(to: number, messages: readonly PeerMessage[]): void {
    this.#links.get(to)?.send(messages)
  }

  pulse(to: number, pulse: Pulse): void {
    this.#links.get(to)?.pulse(pulse)
  }

  /**
   * Asks a peer; `kind` says what. @throws Refused: what the peer refuses with; REQUEST_TIMED_OUT when it may have been done or may
   * yet be; before anything was sent BROKER_NOT_AVAILABLE (not connected), THROTTLING_QUOTA_EXCEEDED, MESSAGE_TOO_LARGE
   */
  async call(nodeId: number, kind: number, payload: Buffer, timeoutMs: number): Promise<Buffer> {
    const link = this.#links.get(nodeId)
    if (link === undefined) throw new Refused('BROKER_NOT_AVAILABLE', `node ${nodeId} is not known`)
    return await link.call(kind, payload, timeoutMs)
  }

  /** Who answers requests of this kind; `guests`: those of brokers that are not known here, too. */
  handle(kind: number, handler: Handler, { guests = false } = {}): void {
    assert(!this.#handlers.has(kind), `requests of kind ${kind} have one handler`)
    this.#handlers.set(kind, handler)
    if (guests) this.#forGuests.add(kind)
  }

  /** Whether both lanes to it are open. */
  isConnected(nodeId: number): boolean {
    return this.#links.get(nodeId)?.isConnected === true
  }

  /** The disk that a peer is known by, told or learned; null while neither. */
  diskIdOf(nodeId: number): string | null {
    return this.#acquaintances.diskIdOf(nodeId)
  }

  get peers(): readonly PeerStatus[] {
    return [...this.#links.values()].map(({ peer, isConnected, waitingBytes, droppedMessages }) => {
      return { id: peer.id, isConnected, waitingBytes, droppedMessages }
    })
  }

  /** Connections that came, of strangers too. */
  get accepted(): number {
    return this.#inbounds.size
  }

  /** Drops all connections; what was sent last may not arrive. Resolves when they are gone. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#listener?.close()
    const links = [...this.#links.values()].map((link) => link.close())
    for (const inbound of this.#inbounds) inbound.destroy('this broker closes')
    await Promise.all(links)
    if (this.#inbounds.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
  }

  #claim(): Claim {
    const { nodeId, diskId, clusterId } = this.#options
    return { nodeId, diskId, clusterId: clusterId() }
  }

  #link(peer: Peer): Link {
    const { world, settings, inbox } = this.#options
    return new Link({
      peer,
      self: this.#self,
      world,
      settings,
      reports: this.#reports,
      onMet: ({ claim }) => this.#recognize(claim),
      onConnected: (id) => this.#options.onConnected?.(id),
      onRefused: (id) => this.#refusedAt(id),
      onLost: (id) => inbox.peerLost(id),
    })
  }

  /** It may listen elsewhere, or a wall be in between: as long as it speaks to us it lives. */
  #refusedAt(id: number): void {
    for (const { met } of this.#inbounds) if (met?.claim.nodeId === id) return
    this.#options.inbox.peerGone(id)
  }

  /** Known by the same id and another disk. */
  #isAnother({ id, diskId }: Peer): boolean {
    const known = this.#acquaintances.diskIdOf(id)
    return known !== null && diskId !== null && known !== diskId
  }

  #letGo(id: number): void {
    void this.#links.get(id)?.close()
    this.#links.delete(id)
    for (const inbound of this.#inbounds) {
      if (inbound.met?.claim.nodeId === id)
        inbound.destroy(`node ${id} is no broker of this cluster any more`)
    }
  }

  #accept(connection: Connection): void {
    const { world, settings } = this.#options
    if (this.#isClosed || !this.#hasPlace()) {
      if (!this.#isClosed)
        this.#refuse(`${settings.connectionsMax} connections are open (lograft.peer.connections.max)`)
      connection.destroy()
      return
    }
    const inbound = new Inbound(connection, {
      self: this.#self,
      clock: world.clock,
      buffers: world.buffers,
      settings,
      handlerOf: (from, kind) => this.#handlerOf(from, kind),
      onMet: (inbound, met) => this.#met(inbound, met),
      onMessages: (from, messages) => this.#deliver(from, messages),
      onPulse: (from, pulse) => {
        if (this.#acquaintances.isKnown(from)) this.#options.inbox.pulse(from, pulse)
      },
      onCallFailed: (from, kind, error) => this.#callFailed(from, kind, error),
      onGone: (inbound, sentence, fault) => this.#gone(inbound, sentence, fault),
    })
    this.#inbounds.add(inbound)
  }

  /** When there are too many, strangers that have not said who they are make room, the oldest first. */
  #hasPlace(): boolean {
    if (this.#inbounds.size < this.#options.settings.connectionsMax) return true
    for (const inbound of this.#inbounds) {
      if (inbound.met !== null) continue
      inbound.destroy('too many connections are open')
      return true
    }
    return false
  }

  #recognize(claim: Claim): void {
    this.#acquaintances.met(claim)
    if (this.#acquaintances.isKnown(claim.nodeId)) this.#options.inbox.identify(claim.nodeId, claim.diskId)
  }

  #handlerOf(from: number, kind: number): Handler | undefined {
    return this.#acquaintances.isKnown(from) || this.#forGuests.has(kind)
      ? this.#handlers.get(kind)
      : undefined
  }

  #met(inbound: Inbound, { claim, lane, address }: Met): void {
    this.#recognize(claim)
    // It has dialed again, so what it had before is broken, whether we have seen that or not.
    for (const other of this.#inbounds) {
      if (other === inbound || other.met?.claim.nodeId !== claim.nodeId || other.met.lane !== lane) continue
      other.destroy('the peer has connected anew')
    }
    this.#links.get(claim.nodeId)?.heard(address)
  }

  #deliver(from: number, messages: readonly PeerMessage[]): void {
    const { inbox } = this.#options
    if (!this.#acquaintances.isKnown(from)) return
    for (const { replica, message } of messages) {
      if (!inbox.receive(from, replica, message)) this.unknownReplicas++
    }
  }

  #gone(inbound: Inbound, sentence: string, fault: Faulted | null): void {
    this.#inbounds.delete(inbound)
    if (this.#inbounds.size === 0) this.#onEmpty?.()
    if (fault === null || this.#isClosed) return
    const { remote, met } = inbound
    const host = remote.slice(0, remote.lastIndexOf(':'))
    const peer = met === null ? {} : { peer: met.claim.nodeId }
    if (!(fault instanceof Stranger)) {
      const message = `a connection from ${host} is closed: ${sentence}`
      this.#reports.sayOnce(`${host} ${sentence}`, {
        level: 'warn',
        event: 'peer.frame',
        message,
        remote,
        ...peer,
      })
    } else if (!fault.isTheirs) {
      // What the other side refuses it says in its own log, and by its own dialing to us in ours.
      const message = `a broker at ${host} is refused: ${sentence}`
      this.#reports.sayOnce(`${host} ${sentence}`, { level: 'warn', event: 'peer.refused', message, remote })
    }
  }

  #refuse(sentence: string): void {
    this.#reports.sayOnce('', { level: 'warn', event: 'peer.connection.refused', message: sentence })
  }

  #callFailed(from: number, kind: number, error: unknown): void {
    const message = messageOf(error)
    const stack = error instanceof Error ? error.stack : undefined
    this.#reports.say({
      level: 'error',
      event: 'peer.call.failed',
      message: `a request of kind ${kind} from node ${from}: ${message}`,
      peer: from,
      stack,
    })
  }

  #tick(): void {
    const { clock } = this.#options.world
    this.#checkDueMs = clock.monotonic() + this.#checkMs
    this.#timer = clock.setTimer(this.#checkMs, () => this.#check())
  }

  #check(): void {
    const nowMs = this.#options.world.clock.monotonic()
    // Did the event loop stand still? Then others waited for us, and what they said waits in the sockets: their time begins anew.
    const isExcused = nowMs - this.#checkDueMs > this.#options.settings.idleTimeoutMs / 4
    for (const one of [...this.#links.values(), ...this.#inbounds]) {
      if (isExcused) one.excuse(nowMs)
      one.check(nowMs)
    }
    this.#tick()
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

/** Nobody can dial it. */
const isWildcard = (host: string) => host === '0.0.0.0' || host === '::' || host === ''
