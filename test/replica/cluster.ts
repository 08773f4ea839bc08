/** Several brokers on one virtual clock, linked in memory; links can be cut, processes can stand still. */
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import { Executor } from '../../src/replica/executor.ts'
import type { Member } from '../../src/replica/member.ts'
import type { PeerMessage } from '../../src/replica/outbox.ts'
import type { Pulse } from '../../src/replica/pulses.ts'
import type { ReplicaSettings } from '../../src/replica/replica.ts'
import type { HostSettings } from '../../src/replica/replica-host.ts'
import { counters } from './counters.ts'
import { Broker } from './fixture.ts'

export class Cluster {
  readonly clock = new VirtualClock()
  readonly brokers: Broker[]
  readonly members: Member[] = []
  readonly #cut = new Set<string>()
  /** Messages that came to another broker, by kind. */
  readonly sent = new Map<string, number>()
  frames = 0
  pulses = 0
  voters: readonly number[]
  settings: Partial<ReplicaSettings> = {}
  hasMachine = false
  /** Disks of the voters, when the quorum was decided on. */
  disks: ReadonlyMap<number, string> = new Map()
  readonly #held: (() => void)[] = []

  constructor(size = 3, settings: Partial<HostSettings> = {}) {
    const send = (from: number, to: number, messages: readonly PeerMessage[]): void => {
      this.frames++
      for (const { message } of messages) {
        const kind = 'preVote' in message && message.preVote ? `pre-${message.type}` : message.type
        this.sent.set(kind, (this.sent.get(kind) ?? 0) + 1)
      }
      this.clock.soon(() => {
        if (!this.#cut.has(`${from}->${to}`)) this.#deliver(from, to, messages)
      })
    }
    const pulse = (from: number, to: number, pulse: Pulse): void => {
      this.pulses++
      this.clock.soon(() => {
        if (!this.#cut.has(`${from}->${to}`)) this.#deliverPulse(from, to, pulse)
      })
    }
    const ids = Array.from({ length: size }, (_, index) => index + 1)
    this.voters = ids
    this.brokers = ids.map((id) => new Broker({ id, clock: this.clock, send, pulse, settings }))
  }

  get ids(): number[] {
    return this.brokers.map(({ id }) => id)
  }

  async open(name = 't-0'): Promise<void> {
    for (const { id } of this.brokers) await this.start(id, name)
  }

  async start(id: number, name = 't-0'): Promise<Member> {
    const { voters, settings, disks, hasMachine } = this
    const own = voters.includes(id) ? voters : []
    const member = await (this.brokers[id - 1] as Broker).open(name, own, settings, disks, hasMachine)
    this.members[id - 1] = member
    return member
  }

  #deliver(from: number, to: number, messages: readonly PeerMessage[]): void {
    const broker = this.brokers[to - 1] as Broker
    // Who stands still reads no socket; afterwards what waits there is read once the late timers have fired.
    if (broker.process.isStalled) this.#held.push(() => this.#deliver(from, to, messages))
    else for (const { replica, message } of messages) broker.host.receive(from, replica, message)
  }

  #deliverPulse(from: number, to: number, pulse: Pulse): void {
    const broker = this.brokers[to - 1] as Broker
    if (broker.process.isStalled) this.#held.push(() => this.#deliverPulse(from, to, pulse))
    else broker.host.pulse(from, pulse)
  }

  deliverHeld(): void {
    const held = this.#held.splice(0)
    this.clock.soon(() => {
      for (const deliver of held) deliver()
    })
  }

  /** All have met, and know each other's disks. */
  meet(): void {
    for (const { host } of this.brokers) for (const { id, diskId } of this.brokers) host.identify(id, diskId)
  }

  /** Cut off both ways, from everybody. */
  isolate(id: number): void {
    for (const other of this.ids) this.#cut.add(`${id}->${other}`).add(`${other}->${id}`)
  }
  /** What one says does not reach the other. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}->${to}`)
  }
  heal(): void {
    this.#cut.clear()
  }

  member(id: number): Member {
    return this.members[id - 1] as Member
  }

  /** Lets time pass until one leads and is ready. */
  async leader(except: readonly number[] = []): Promise<Member> {
    for (let round = 0; round < 200; round++) {
      const leader = this.members.find((member, index) => member.isReady && !except.includes(index + 1))
      if (leader !== undefined) return leader
      await this.clock.advance(10)
    }
    throw new Error('nobody leads')
  }

  idOf(member: Member): number {
    return this.members.indexOf(member) + 1
  }
}

/** The machine of a broker, on its member. */
export function openCounters(cluster: Cluster, id: number, imageEveryChanges = 10) {
  return Executor.open({
    machine: counters,
    replica: cluster.member(id),
    clock: cluster.clock,
    settings: { imageEveryBytes: 1 << 20, imageEveryChanges, commandsPendingMax: 100 },
    notLeader: 'NOT_COORDINATOR',
    onEvent: (event) => cluster.brokers[id - 1]?.events.push(event),
  })
}
