/**
 * Tells all other brokers what this one leads: a partition as soon as it is ready, or when its in-sync replicas have changed;
 * everything when a broker comes (back). What a broker did not take is kept for it, one entry a partition, and told again.
 */

import { Reader } from '../base/bytes.ts'
import { Refused } from '../base/errors.ts'
import type { Clock, Timer } from '../io/world.ts'
import { callKinds, leaders as leadersLayout } from '../protocol/peer/call-kinds.ts'
import { peerVersions } from '../protocol/peer/frame.ts'
import { haveSame } from '../raft/membership.ts'
import type { BrokerEvent } from './broker.ts'
import { keyOf } from './hosted.ts'
import type { Leaders, PartitionLeader } from './leaders.ts'
import type { Partition } from './partition.ts'
import { bytesOf } from './peer-payload.ts'

export interface AnnouncementsOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly leaders: Leaders
  readonly partitions: () => Iterable<Partition>
  readonly call: (nodeId: number, kind: number, payload: Buffer, timeoutMs: number) => Promise<Buffer>
  readonly isConnected: (nodeId: number) => boolean
  readonly onEvent: (event: BrokerEvent) => void
}

interface Entry {
  readonly topicId: string
  readonly index: number
  readonly epoch: number
  /** Empty: this broker led in that epoch, and does so no more. */
  readonly isr: number[]
}

/** In-sync replicas are looked at this often. */
const sweepMs = 1000
/** Of a leader that has just begun they come one after the other: those are looked at sooner, for so long. */
const youngLookMs = 50
const youngLooks = 20
/** In one request. */
const entriesMax = 5000
const answerTimeoutMs = 5000

export class Announcements {
  readonly #options: AnnouncementsOptions
  /** By broker, then by partition: what it has not heard yet. */
  readonly #unheard = new Map<number, Map<string, Entry>>()
  readonly #telling = new Set<number>()
  /** By partition: what was said last. */
  readonly #said = new Map<string, Entry>()
  /** Led for a moment only, and not all in sync: how often they are looked at yet. */
  readonly #young = new Map<Partition, number>()
  #timer: Timer | null = null
  #youngTimer: Timer | null = null
  #counted = '0 of 0'
  #isTurnEnding = false
  #isClosed = false

  constructor(options: AnnouncementsOptions) {
    this.#options = options
  }

  /** All other brokers. */
  setPeers(ids: readonly number[]): void {
    for (const id of this.#unheard.keys()) if (!ids.includes(id)) this.#unheard.delete(id)
    for (const id of ids) if (!this.#unheard.has(id)) this.#unheard.set(id, new Map(this.#led()))
    this.#maybeSweep()
    this.#tellSoon()
  }

  /** A broker was connected: what it heard before it may have forgotten. */
  connected(id: number): void {
    const unheard = this.#unheard.get(id)
    if (unheard === undefined) return
    for (const [key, entry] of this.#led()) unheard.set(key, entry)
    this.#tellSoon()
  }

  /** Something about a partition has changed; called often. */
  advanced(partition: Partition): void {
    const { replica, topic, index } = partition
    if (replica.isReady && partition.announcedEpoch === replica.epoch) return
    const said = this.#said.get(keyOf(topic.id, index))
    if (replica.isReady) {
      if (said?.epoch === replica.epoch) return
      this.#say(partition, replica.epoch)
      if (replica.inSync.length === replica.voters.length) return
      this.#young.set(partition, youngLooks)
      this.#lookAtYoung()
    } else if (said !== undefined && said.isr.length > 0 && replica.role !== 'leader') {
      // Its majority is gone: clients that are still sent here would ask in a circle.
      this.#say(partition, said.epoch)
    }
  }

  /** What was said and still holds: others may lead by now what this broker led. */
  #led(): [string, Entry][] {
    const { leaders, nodeId } = this.#options
    return [...this.#said].filter(([, { topicId, index }]) => leaders.leaderOf(topicId, index) === nodeId)
  }

  /** A partition is not here any more. */
  forget(topicId: string, index: number): void {
    this.#said.delete(keyOf(topicId, index))
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#youngTimer?.cancel()
  }

  #lookAtYoung(): void {
    if (this.#youngTimer !== null || this.#isClosed || this.#young.size === 0) return
    this.#youngTimer = this.#options.clock.setTimer(youngLookMs, () => {
      this.#youngTimer = null
      for (const [partition, looks] of this.#young) {
        const { replica } = partition
        this.#lookAt(partition)
        const isOver = looks === 0 || !replica.isReady || replica.inSync.length === replica.voters.length
        if (isOver) this.#young.delete(partition)
        else this.#young.set(partition, looks - 1)
      }
      this.#tellSoon()
      this.#lookAtYoung()
    })
  }

  #say(partition: Partition, epoch: number): void {
    const { leaders, nodeId } = this.#options
    const { topic, index, replica } = partition
    partition.announcedEpoch = epoch
    const isr = [...replica.inSync]
    const entry = { topicId: topic.id, index, epoch, isr }
    const key = keyOf(topic.id, index)
    this.#said.set(key, entry)
    leaders.heard(topic.id, index, leaderIn(nodeId, entry))
    for (const unheard of this.#unheard.values()) unheard.set(key, entry)
    this.#tellSoon()
  }

  /** All that a turn brings goes at once. */
  #tellSoon(): void {
    if (this.#isTurnEnding || this.#unheard.size === 0) return
    this.#isTurnEnding = true
    this.#options.clock.soon(() => {
      this.#isTurnEnding = false
      for (const id of this.#unheard.keys()) void this.#tell(id)
    })
  }

  async #tell(id: number): Promise<void> {
    const { isConnected, call } = this.#options
    if (this.#telling.has(id)) return
    this.#telling.add(id)
    try {
      for (;;) {
        const unheard = this.#unheard.get(id)
        if (this.#isClosed || unheard === undefined || unheard.size === 0 || !isConnected(id)) return
        const told = [...unheard].slice(0, entriesMax)
        await call(id, callKinds.leaders, encode(told.map(([, entry]) => entry)), answerTimeoutMs)
        for (const [key, entry] of told) if (unheard.get(key) === entry) unheard.delete(key)
      }
    } catch (error) {
      // It goes on when it is connected again, or with the next sweep.
      if (!(error instanceof Refused)) throw error
    } finally {
      this.#telling.delete(id)
    }
  }

  #maybeSweep(): void {
    if (this.#timer !== null || this.#isClosed || this.#unheard.size === 0) return
    this.#timer = this.#options.clock.setTimer(sweepMs, () => {
      this.#timer = null
      for (const partition of this.#options.partitions()) this.#lookAt(partition)
      this.#count()
      this.#tellSoon()
      this.#maybeSweep()
    })
  }

  /** One line for all partitions that came and went since the last look: each for itself would be too many. */
  #count(): void {
    const partitions = [...this.#options.partitions()]
    const led = partitions.filter(({ replica }) => replica.isReady).length
    const counted = `${led} of ${partitions.length}`
    if (counted === this.#counted) return
    this.#counted = counted
    this.#options.onEvent({
      level: 'info',
      event: 'partitions.led',
      message: `this broker leads ${counted} partitions that it holds`,
      led,
      held: partitions.length,
    })
  }

  #lookAt(partition: Partition): void {
    const { replica, topic, index } = partition
    if (!replica.isReady || replica.voters.length === 1) return
    const said = this.#said.get(keyOf(topic.id, index))
    const isKnown = said?.epoch === replica.epoch && haveSame(said.isr, replica.inSync)
    if (!isKnown) this.#say(partition, replica.epoch)
  }
}

/** Takes what another broker has announced. */
export function hear(leaders: Leaders, from: number, payload: Buffer): void {
  const { partitions } = leadersLayout.decode(new Reader(payload), peerVersions[1])
  for (const entry of partitions) leaders.heard(entry.topicId, entry.index, leaderIn(from, entry))
}

function leaderIn(leaderId: number, { epoch, isr }: Pick<Entry, 'epoch' | 'isr'>): PartitionLeader {
  return { leaderId: isr.length === 0 ? -1 : leaderId, epoch, isr }
}

function encode(partitions: Entry[]): Buffer {
  return bytesOf((writer) => leadersLayout.encode(writer, { partitions }, peerVersions[1]))
}
