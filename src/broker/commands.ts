/**
 * The controller as any broker sees it: decisions are made by the machine on the member of the cluster's quorum that leads, here
 * or elsewhere; they are answered when they are in force on this broker, too.
 *
 * While nobody leads, or somebody else has just begun to, a command waits and is tried again. One whose outcome is open is tried
 * again when deciding it twice does no harm; else the caller is told that it may yet take effect.
 */
import { Reader } from '../base/bytes.ts'
import { Refused } from '../base/errors.ts'
import type { Clock } from '../io/world.ts'
import type { ClusterChange } from '../machines/cluster/changes.ts'
import { decodeReply, encodeCommand, type ForwardedCommand } from '../machines/cluster/command-codec.ts'
import type { ClusterCommand, ClusterReplies } from '../machines/cluster/commands.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import { callKinds, commandAnswer } from '../protocol/peer/call-kinds.ts'
import { peerVersions } from '../protocol/peer/frame.ts'
import type { Executor } from '../replica/executor.ts'
import type { Replica } from '../replica/replica.ts'
import { Pauses } from './pauses.ts'

export type ClusterExecutor = Executor<ClusterState, ClusterCommand, ClusterChange, never, ClusterReplies>

export interface Peering {
  /** All that may be asked: the controllers that this broker began with, and those that it has heard of. */
  controllers(): readonly number[]
  call(nodeId: number, kind: number, payload: Buffer, timeoutMs: number): Promise<Buffer>
}

export interface CommandsOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly executor: ClusterExecutor
  readonly replica: Replica
  /** null: a broker by itself. */
  readonly peering: Peering | null
  readonly timeoutMs: () => number
}

type CommandOf<T extends ForwardedCommand['type']> = Extract<ForwardedCommand, { type: T }>

/** The leader is unknown, or new: it is asked again this often. */
const retryMs = 20
/** Of one attempt: an answer may be lost with its connection. */
const attemptMs = 5000

/** Deciding them a second time is refused as if the first had not been theirs. */
const onceOnly: readonly ForwardedCommand['type'][] = ['deleteTopic', 'createPartitions', 'retireBroker']

export class Commands {
  readonly #options: CommandsOptions
  readonly #pauses: Pauses
  #asked = 0
  #isClosed = false

  constructor(options: CommandsOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
  }

  /** @throws Refused as the machine says; NOT_CONTROLLER when nobody leads in time; REQUEST_TIMED_OUT: it may yet take effect */
  async execute<T extends ForwardedCommand['type']>(
    command: CommandOf<T>,
    timeoutMs = this.#options.timeoutMs(),
  ): Promise<ClusterReplies[T]> {
    const { clock, replica, peering } = this.#options
    const endMs = clock.monotonic() + timeoutMs
    for (;;) {
      try {
        return await this.#attempt<T>(command, Math.min(attemptMs, endMs - clock.monotonic()))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        const isHopeless = this.#isClosed || peering === null || replica.fault !== null
        if (isHopeless || clock.monotonic() >= endMs || !mayRepeat(command.type, error)) throw error
      }
      await this.#pauses.wait(retryMs)
    }
  }

  /** Asks the broker that leads, should that not be this one: for what is no command. @throws Refused */
  async ask(kind: number, payload: Buffer): Promise<Buffer> {
    const { peering } = this.#options
    const leader = this.#leader()
    if (peering === null || leader === undefined)
      throw new Refused('NOT_CONTROLLER', 'nobody leads the cluster now')
    try {
      return await peering.call(leader, kind, payload, this.#options.timeoutMs())
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'BROKER_NOT_AVAILABLE') throw error
      throw new Refused('NOT_CONTROLLER', `this broker cannot reach the controller: ${error.detail}`)
    }
  }

  /** Resolves when this broker has applied all that was committed when `answer` left. */
  async applied(answer: Reader, timeoutMs: number): Promise<void> {
    const { offset } = commandAnswer.decode(answer, peerVersions[1])
    await this.#whenApplied(offset, timeoutMs)
  }

  close(): void {
    this.#isClosed = true
    this.#pauses.close()
  }

  async #attempt<T extends ForwardedCommand['type']>(
    command: CommandOf<T>,
    timeoutMs: number,
  ): Promise<ClusterReplies[T]> {
    const { executor, peering } = this.#options
    if (executor.isReady || peering === null) return await executor.execute<T>(command as never)
    const leader = this.#leader()
    if (leader === undefined) throw new Refused('NOT_CONTROLLER', 'nobody leads the cluster now')
    const answer = new Reader(
      await peering.call(leader, callKinds.command, encodeCommand(command), Math.max(1, timeoutMs)),
    )
    const { offset } = commandAnswer.decode(answer, peerVersions[1])
    const reply = decodeReply<T>(command.type as T, answer)
    await this.#whenApplied(offset, this.#options.timeoutMs())
    return reply
  }

  /** Who leads, as far as it is known; else one after the other: any of them may. */
  #leader(): number | undefined {
    const { replica, peering, nodeId } = this.#options
    if (replica.leaderId >= 0 && replica.leaderId !== nodeId) return replica.leaderId
    const others = peering?.controllers().filter((id) => id !== nodeId) ?? []
    return others[this.#asked++ % Math.max(1, others.length)]
  }

  async #whenApplied(offset: number, timeoutMs: number): Promise<void> {
    const { clock, executor } = this.#options
    let isLate = false
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimer(timeoutMs, () => {
        isLate = true
        resolve()
      })
      executor.whenApplied(offset).then(
        () => {
          timer.cancel()
          resolve()
        },
        (error: unknown) => {
          timer.cancel()
          reject(error)
        },
      )
    })
    if (isLate)
      throw new Refused('REQUEST_TIMED_OUT', 'it is decided, and this broker has not heard of it yet')
  }
}

/** NOT_CONTROLLER and its like: nothing was decided. */
function mayRepeat(type: ForwardedCommand['type'], { code }: Refused): boolean {
  switch (code) {
    case 'NOT_CONTROLLER':
    case 'BROKER_NOT_AVAILABLE':
    case 'COORDINATOR_LOAD_IN_PROGRESS':
    case 'THROTTLING_QUOTA_EXCEEDED':
      return true
    case 'REQUEST_TIMED_OUT':
      return !onceOnly.includes(type)
    default:
      return false
  }
}
