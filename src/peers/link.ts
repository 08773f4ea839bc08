/**
 * The way to one peer: two lanes, so that nothing large ever holds up a heartbeat.
 *
 *     control   votes, pulses, heartbeats, acknowledgements, probes, small requests
 *     data      appends with their batches, in order; pieces of images; large requests
 *
 * What is dropped is dropped as whole messages, and the replicas are told when sending again makes sense: when a lane opens, when
 * the queue has emptied, and when a lane breaks, because of what was under way.
 */
import type { World } from '../io/world.ts'
import type { PeerMessage } from '../replica/outbox.ts'
import type { Pulse } from '../replica/pulses.ts'
import { BackOff } from './back-off.ts'
import type { Reports } from './events.ts'
import { type LaneName, type Met, type Self, Stranger } from './handshake.ts'
import { type Broken, Lane } from './lane.ts'
import type { PeerSettings } from './settings.ts'

/** A broker of the cluster, as this one knows it. */
export interface Peer {
  readonly id: number
  /** Where it listens for brokers. */
  readonly host: string
  readonly port: number
  /** null: not known yet; the first that it comes with is taken for it. */
  readonly diskId: string | null
}

export interface LinkOptions {
  readonly peer: Peer
  readonly self: Self
  readonly world: Pick<World, 'clock' | 'net' | 'random'>
  readonly settings: PeerSettings
  readonly reports: Reports
  readonly onMet: (met: Met) => void
  /** Both lanes are open. */
  readonly onConnected: (peer: number) => void
  /** Nobody listens where it should. */
  readonly onRefused: (peer: number) => void
  /** Messages may be lost, and sending again makes sense. */
  readonly onLost: (peer: number) => void
}

interface Address {
  readonly host: string
  readonly port: number
}

/** Requests up to this size may come between heartbeats. */
const smallBytesMax = 4096

export class Link {
  readonly #options: LinkOptions
  readonly #control: Lane
  readonly #data: Lane
  #peer: Peer
  /** Where it said that it listens; it may have moved since we were told. */
  #heardAddress: Address | null = null
  #hasDropped = false
  #isConnected = false
  #onClosed: (() => void) | null = null
  /** Since it was created. */
  droppedMessages = 0

  constructor(options: LinkOptions) {
    this.#options = options
    this.#peer = options.peer
    this.#control = this.#lane('control', options.settings.controlQueueBytesMax)
    this.#data = this.#lane('data', options.settings.dataQueueBytesMax)
  }

  get peer(): Peer {
    return this.#peer
  }
  get isConnected(): boolean {
    return this.#isConnected
  }
  get waitingBytes(): number {
    return this.#control.waitingBytes + this.#data.waitingBytes
  }

  /** It listens elsewhere, or its disk is known. Lanes that are open stay. */
  set peer(peer: Peer) {
    if (peer.host !== this.#peer.host || peer.port !== this.#peer.port) this.#heardAddress = null
    this.#peer = peer
  }

  send(messages: readonly PeerMessage[]): void {
    const data = messages.filter(isData)
    let dropped = 0
    if (data.length < messages.length) {
      dropped += this.#control.send(data.length === 0 ? messages : messages.filter((one) => !isData(one)))
    }
    if (data.length > 0) dropped += this.#data.send(data)
    if (dropped > 0) this.#dropped(dropped)
  }

  pulse(pulse: Pulse): void {
    this.#control.pulse(pulse)
  }

  /** @throws Refused when it was not sent */
  call(kind: number, payload: Buffer, timeoutMs: number): Promise<Buffer> {
    const lane = payload.length <= smallBytesMax ? this.#control : this.#data
    return lane.call(kind, payload, timeoutMs)
  }

  /** The peer has just connected to us: it lives, and perhaps elsewhere. */
  heard(address: Address | null): void {
    if (address !== null) this.#heardAddress = address
    this.#control.hurry()
    this.#data.hurry()
  }

  /** Silence counts from now on. */
  excuse(nowMs: number): void {
    this.#control.excuse(nowMs)
    this.#data.excuse(nowMs)
  }

  check(nowMs: number): void {
    // A peer that is silent where nothing is in the way is gone altogether.
    if (this.#control.check(nowMs)) this.#data.drop('the control lane was given up')
    else this.#data.check(nowMs)
  }

  /** Resolves when the connections are gone. */
  close(): Promise<void> {
    this.#control.close()
    this.#data.close()
    if (!this.#control.hasConnection && !this.#data.hasConnection) return Promise.resolve()
    return new Promise((resolve) => (this.#onClosed = resolve))
  }

  #lane(name: LaneName, queueBytesMax: number): Lane {
    const { self, world, settings, peer } = this.#options
    return new Lane({
      name,
      peer: peer.id,
      self,
      world,
      settings,
      queueBytesMax,
      backOff: new BackOff(settings, world.random),
      address: (attempt) => this.#address(attempt),
      onOpen: (met) => this.#opened(met),
      onBroken: (broken) => this.#broken(name, broken),
      onRoom: () => this.#retry(),
      onOversized: ({ replica }, bytes) => this.#oversized(replica, bytes),
    })
  }

  /** What we were told and what it said itself, in turns. */
  #address(attempt: number): Address {
    const { host, port } = this.#peer
    return attempt % 2 === 0 && this.#heardAddress !== null ? this.#heardAddress : { host, port }
  }

  #opened(met: Met): void {
    const { reports, onMet, onConnected } = this.#options
    onMet(met)
    if (!this.#control.isOpen || !this.#data.isOpen) return
    this.#isConnected = true
    const { id } = this.#peer
    reports.say({ level: 'info', event: 'peer.connected', message: `connected to node ${id}`, peer: id })
    this.#retry()
    onConnected(id)
  }

  #broken(name: LaneName, { wasOpen, remote, sentence, fault, isRefused }: Broken): void {
    const { reports, onLost, onRefused } = this.#options
    if (isRefused) onRefused(this.#peer.id)
    const { id } = this.#peer
    const wasConnected = this.#isConnected
    this.#isConnected = false
    if (this.#onClosed !== null) {
      if (!this.#control.hasConnection && !this.#data.hasConnection) this.#onClosed()
      return
    }
    const where = { peer: id, remote }
    if (fault instanceof Stranger) {
      const who = fault.isTheirs
        ? `node ${id} at ${remote} refuses this broker`
        : `node ${id} at ${remote} is refused`
      reports.sayOnce(`${id} ${sentence}`, {
        level: 'warn',
        event: 'peer.refused',
        message: `${who}: ${sentence}`,
        ...where,
      })
    } else if (fault !== null) {
      const message = `the ${name} lane to node ${id} is closed: ${sentence}`
      reports.sayOnce(`${id} ${sentence}`, { level: 'warn', event: 'peer.frame', message, ...where })
    } else if (wasConnected) {
      const message = `the ${name} lane to node ${id} broke: ${sentence}`
      reports.say({ level: 'info', event: 'peer.disconnected', message, ...where })
    } else if (!wasOpen) {
      const message = `node ${id} at ${remote} cannot be reached: ${sentence}`
      reports.sayOnce(`${id} ${sentence}`, { level: 'info', event: 'peer.unreachable', message, ...where })
    }
    if (!wasOpen) return
    this.#hasDropped = false
    onLost(id)
  }

  #dropped(count: number): void {
    this.droppedMessages += count
    this.#hasDropped = true
    if (!this.#isConnected) return
    const { id } = this.#peer
    this.#options.reports.sayOnce(String(id), {
      level: 'warn',
      event: 'peer.slow',
      message: `node ${id} is too slow: messages are dropped while ${this.waitingBytes} bytes wait for it`,
      peer: id,
    })
  }

  #retry(): void {
    if (!this.#hasDropped) return
    this.#hasDropped = false
    this.#options.onLost(this.#peer.id)
  }

  #oversized(replica: string, bytes: number): void {
    const { id } = this.#peer
    this.droppedMessages++
    this.#options.reports.sayOnce(`${id} ${replica}`, {
      level: 'error',
      event: 'peer.oversized',
      message:
        `a batch of ${bytes} bytes of '${replica}' is larger than node ${id} takes: ` +
        'raise lograft.peer.frame.bytes.max there, or the partition stays behind',
      peer: id,
      replica,
    })
  }
}

function isData({ message }: PeerMessage): boolean {
  return message.type === 'install' || (message.type === 'append' && message.entries !== null)
}
