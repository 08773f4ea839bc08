/**
 * One of the two connections that this broker dials to a peer, and dials again whenever it breaks.
 *
 *     waiting --- time ---> connecting --- connected ---> greeting --- met ---> open
 *        ^----------------------|---- broken, refused, late ----|----------------|
 *
 * Messages and requests leave through it; answers and pongs come back. A ping is always under way: a lane whose peer does not
 * answer it is broken, whatever the socket says.
 */
import { Reader } from '../base/bytes.ts'
import { Faulted, Refused } from '../base/errors.ts'
import type { Connection, Timer, World } from '../io/world.ts'
import { frameKinds } from '../protocol/peer/frame.ts'
import * as wire from '../protocol/peer/pulse.ts'
import type { PeerMessage } from '../replica/outbox.ts'
import type { Pulse } from '../replica/pulses.ts'
import type { BackOff } from './back-off.ts'
import { Calls } from './calls.ts'
import { Channel } from './channel.ts'
import { beginFrame, type CutFrame, emptyFrame, endFrame, headBytesMax } from './frames.ts'
import { Dialer, type LaneName, type Met, refusalFrame, type Self, Stranger } from './handshake.ts'
import { MessageEncoder } from './message-codec.ts'
import { bulkBytes } from './message-sections.ts'
import type { PeerSettings } from './settings.ts'

export interface LaneOptions {
  readonly name: LaneName
  readonly peer: number
  readonly self: Self
  readonly world: Pick<World, 'clock' | 'net'>
  readonly settings: PeerSettings
  readonly queueBytesMax: number
  readonly backOff: BackOff
  /** Where to dial this time. */
  readonly address: (attempt: number) => { readonly host: string; readonly port: number }
  readonly onOpen: (met: Met) => void
  /** The lane was open, or an attempt has failed. */
  readonly onBroken: (broken: Broken) => void
  /** There is room again after messages were dropped. */
  readonly onRoom: () => void
  /** It is too large for the peer, and was dropped. */
  readonly onOversized: (message: PeerMessage, bytes: number) => void
}

export interface Broken {
  readonly wasOpen: boolean
  readonly remote: string
  readonly sentence: string
  readonly fault: Faulted | null
  /** Nobody listens there. */
  readonly isRefused: boolean
}

interface Open {
  readonly met: Met
  readonly encoder: MessageEncoder
  readonly sinceMs: number
}

export class Lane {
  readonly #options: LaneOptions
  readonly #calls: Calls
  #channel: Channel | null = null
  #open: Open | null = null
  /** What an older attempt brings is not ours any more. */
  #attempt = 0
  #timer: Timer | null = null
  #greetingSinceMs = 0
  #pingSentMs: number | null = null

  constructor(options: LaneOptions) {
    this.#options = options
    this.#calls = new Calls(options.world.clock)
    this.#dial()
  }

  get isOpen(): boolean {
    return this.#open !== null
  }
  get hasConnection(): boolean {
    return this.#channel !== null
  }
  get waitingBytes(): number {
    return this.#channel?.waitingBytes ?? 0
  }

  /** Returns how many messages were dropped: all while it is not open, the rest when there is no room. */
  send(messages: readonly PeerMessage[]): number {
    const channel = this.#channel
    const open = this.#open
    if (channel === null || open === null) return messages.length
    const fitting = this.#fitting(messages, open.met.frameBytesMax)
    let at = 0
    while (at < fitting.length && channel.hasRoom) {
      const { frame, next } = open.encoder.frame(fitting, at)
      channel.send(frame)
      at = next
    }
    return fitting.length - at
  }

  /** Before all that waits. Lost when it is not open, or the peer takes nothing. */
  pulse(pulse: Pulse): void {
    const channel = this.#channel
    if (channel === null || this.#open === null || !channel.hasRoom) return
    const writer = beginFrame(frameKinds.pulse)
    wire.pulse.encode(writer, pulse, this.#open.met.version)
    channel.sendFirst(endFrame(writer))
  }

  /** @throws Refused when it was not sent: it is not open, or too many wait. */
  call(kind: number, payload: Buffer, timeoutMs: number): Promise<Buffer> {
    const channel = this.#channel
    const open = this.#open
    const { peer, settings } = this.#options
    if (channel === null || open === null)
      throw new Refused('BROKER_NOT_AVAILABLE', `node ${peer} is not connected`)
    if (payload.length + headBytesMax > open.met.frameBytesMax) {
      throw new Refused('MESSAGE_TOO_LARGE', `a request of ${payload.length} bytes to node ${peer}`)
    }
    if (this.#calls.size >= settings.callsMax || !channel.hasRoom) {
      throw new Refused('THROTTLING_QUOTA_EXCEEDED', `${this.#calls.size} requests to node ${peer} wait`)
    }
    const { version } = open.met
    const { frame, answer } = this.#calls.add({ kind, payload, timeoutMs, version })
    channel.send(frame)
    return answer
  }

  /** What time has run out, and the next ping; called every so often. Returns whether an open lane was given up. */
  check(nowMs: number): boolean {
    const channel = this.#channel
    if (channel === null) return false
    const { settings, name } = this.#options
    if (this.#open === null) {
      if (nowMs - this.#greetingSinceMs > settings.connectTimeoutMs)
        channel.destroy('it did not say who it is')
      return false
    }
    if (this.#pingSentMs === null) {
      this.#pingSentMs = nowMs
      channel.sendFirst(emptyFrame(frameKinds.ping))
      return false
    }
    // On the data lane a ping may wait behind megabytes in the socket: that it takes more is a sign of life there. On the control
    // lane it is none, because a pulled cable takes some, too.
    const aliveMs = name === 'data' ? Math.max(this.#pingSentMs, channel.drainedMs) : this.#pingSentMs
    if (nowMs - aliveMs <= settings.idleTimeoutMs) return false
    this.drop(`no answer for ${settings.idleTimeoutMs} ms`)
    return true
  }

  /** Silence counts from now on. */
  excuse(nowMs: number): void {
    this.#greetingSinceMs = nowMs
    if (this.#pingSentMs !== null) this.#pingSentMs = nowMs
  }

  /** Breaks what there is, and dials anew. */
  drop(sentence: string): void {
    this.#channel?.destroy(sentence)
  }

  /** Dials at once, if it waits to. */
  hurry(): void {
    if (this.#timer !== null) this.#dial()
  }

  close(): void {
    this.#attempt = -1
    this.#timer?.cancel()
    this.#timer = null
    this.#channel?.destroy('this broker closes')
  }

  #fitting(messages: readonly PeerMessage[], frameBytesMax: number): readonly PeerMessage[] {
    const fits = ({ message }: PeerMessage): boolean => bulkBytes(message) + headBytesMax <= frameBytesMax
    if (messages.every(fits)) return messages
    for (const one of messages) if (!fits(one)) this.#options.onOversized(one, bulkBytes(one.message))
    return messages.filter(fits)
  }

  #dial(): void {
    const { world, settings, address } = this.#options
    const attempt = ++this.#attempt
    this.#timer?.cancel()
    this.#timer = null
    const { host, port } = address(attempt)
    this.#greetingSinceMs = world.clock.monotonic()
    void world.net.connect({ host, port, timeoutMs: settings.connectTimeoutMs }).then(
      (connection) => {
        if (attempt === this.#attempt) this.#greet(connection)
        else connection.destroy()
      },
      (error: unknown) => {
        if (!(error instanceof Faulted)) throw error
        if (attempt !== this.#attempt) return
        const sentence = error.cause instanceof Error ? error.cause.message : error.operation
        const isRefused = isConnectionRefused(error)
        this.#broken({ wasOpen: false, remote: `${host}:${port}`, sentence, fault: null, isRefused })
      },
    )
  }

  #greet(connection: Connection): void {
    const { world, self, peer, name, queueBytesMax, onRoom } = this.#options
    const dialer = new Dialer(self, peer, name)
    const channel = new Channel(connection, {
      clock: world.clock,
      queueBytesMax,
      onFrame: (frame) =>
        this.#open === null ? this.#greeted(dialer, channel, frame) : this.#received(frame),
      onGone: (sentence, fault) => this.#gone(channel, sentence, fault),
      onRoom,
    })
    this.#channel = channel
    channel.send(dialer.hello())
  }

  #greeted(dialer: Dialer, channel: Channel, { head }: CutFrame): void {
    try {
      const { send, met } = dialer.receive(head)
      for (const frame of send) channel.send(frame)
      if (met === null) return
      channel.trust(this.#options.settings.frameBytesMax)
      this.#pingSentMs = null
      const sinceMs = this.#options.world.clock.monotonic()
      this.#open = { met, encoder: new MessageEncoder(met.version), sinceMs }
      this.#options.onOpen(met)
    } catch (error) {
      if (!(error instanceof Stranger)) throw error
      channel.end(error.sentence, error, error.isTheirs ? null : refusalFrame(error))
    }
  }

  /** @throws Malformed */
  #received({ head }: CutFrame): void {
    const reader = new Reader(head)
    const kind = reader.int8('kind of frame')
    if (kind === frameKinds.pong) this.#pingSentMs = null
    else if (kind === frameKinds.response) this.#calls.answered(reader, this.#open?.met.version ?? 0)
    else reader.fail('an answer of unknown kind', String(kind))
  }

  #gone(channel: Channel, sentence: string, fault: Faulted | null): void {
    if (this.#channel !== channel) return
    const { world, settings, backOff } = this.#options
    const wasOpen = this.#open !== null
    // Not for one that opens and breaks at once: it would go on as fast as it can.
    const openMs = this.#open === null ? 0 : world.clock.monotonic() - this.#open.sinceMs
    if (openMs >= settings.backoffMaxMs) backOff.reset()
    this.#channel = null
    this.#open = null
    this.#calls.abandon()
    this.#broken({ wasOpen, remote: channel.remote, sentence, fault, isRefused: false })
  }

  #broken(broken: Broken): void {
    const { backOff, world, settings, onBroken } = this.#options
    if (this.#attempt !== -1) {
      // A stranger does not become a friend by asking often.
      const delayMs = broken.fault instanceof Stranger ? settings.backoffMaxMs : backOff.next()
      this.#timer = world.clock.setTimer(delayMs, () => this.#dial())
    }
    onBroken(broken)
  }
}

function isConnectionRefused({ cause }: Faulted): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
}
