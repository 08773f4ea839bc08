/**
 * Runs a machine (src/machines/machine.ts) on a replica: decide, apply, replicate; the replies leave when all that the decision
 * saw is committed.
 *
 *     loading ---> following ---> serving        following: applies what is committed
 *        ^             ^             |           serving: decides; the state runs ahead of the commit
 *        |             |-------------|  leadership lost, all was committed
 *        |---------------------------|  leadership lost, or a proposal refused, and the state ran ahead
 *
 * The decisions of one turn share one batch. A decision without changes waits for what the ones before it have changed: nobody
 * may see what may yet be undone (a reply that leaves at once is one for which nothing is pending).
 *
 * Images: an image is the state as of a committed offset, so it is taken when nothing is pending. Under constant load that
 * never happens by itself: when an image is due, new commands are held until what is pending has been committed (one sync, a
 * millisecond or so), the image is encoded, and they go on. Keeping a second state one commit behind was rejected: it costs
 * every change twice, and all of the memory.
 */
import { messageOf, Refused } from '../base/errors.ts'
import type { Machine, Now, Token } from '../machines/machine.ts'
import { Callers } from './callers.ts'
import type { ExecutorOptions } from './executor-options.ts'
import { Gate } from './gate.ts'
import { ImageWriter } from './image-writer.ts'
import { LazyTimer } from './lazy-timer.ts'
import { MachineState } from './machine-state.ts'
import type { Replica } from './replica.ts'
import type { ReplicaEvent } from './replica-event.ts'
import { Turn } from './turn.ts'

/** Changes of decisions in one turn are proposed as batches of about this size. A decision is never split. */
const batchBytesTarget = 262_144
/** The token of what nobody waits for. */
const nobody: Token = 0

export class Executor<
  State,
  Command extends { type: string },
  Change,
  Volatile,
  Replies extends Record<string, unknown>,
> {
  readonly #options: ExecutorOptions<State, Command, Change, Volatile, Replies>
  readonly #machine: Machine<State, Command, Change, Volatile, Replies>
  readonly #replica: Replica
  readonly #state: MachineState<State, Change>
  readonly #images: ImageWriter
  readonly #callers = new Callers<Replies[keyof Replies]>()
  readonly #timer: LazyTimer
  readonly #unsubscribe: () => void
  #phase: 'loading' | 'following' | 'serving' | 'failed' | 'closed' = 'loading'
  #failure: unknown = null
  /** While serving: the epoch it serves in, and the end of what was proposed: the state is that far. */
  #epoch = -1
  #proposedEnd = 0
  /** Rises whenever serving ends: what was under way belongs to the past then. */
  #generation = 0
  #turn: Turn<Change, Replies[keyof Replies]> | null = null
  #isTurnEnding = false
  /** Commands that came while an image waits for its moment. */
  #held: { command: Command; token: Token }[] = []
  #isHolding = false
  #isCatchingUp = false
  readonly #whenReady = new Gate()
  readonly #whenSettled = new Gate()

  /**
   * Loads the newest image and replays what is committed. On a member that leads, resolves when it serves.
   * @throws Faulted when neither image nor log give the state
   */
  static async open<
    State,
    Command extends { type: string },
    Change,
    Volatile,
    Replies extends Record<string, unknown>,
  >(
    options: ExecutorOptions<State, Command, Change, Volatile, Replies>,
  ): Promise<Executor<State, Command, Change, Volatile, Replies>> {
    const executor = new Executor(options)
    const settled = executor.#whenSettled.wait()
    executor.#catchUp()
    await settled
    return executor
  }

  private constructor(options: ExecutorOptions<State, Command, Change, Volatile, Replies>) {
    const { machine, replica, settings } = options
    this.#options = options
    this.#machine = machine
    this.#replica = replica
    this.#state = new MachineState(machine, replica.log, options.onJumped)
    if (options.onApplied !== undefined) this.#state.onApplied(options.onApplied)
    this.#images = new ImageWriter(settings, replica.log)
    this.#timer = new LazyTimer(options.clock, () => this.#timerFired())
    this.#unsubscribe = replica.onAdvance(() => this.#advanced())
  }

  /** It leads and has applied everything: commands are decided. */
  get isReady(): boolean {
    return this.#phase === 'serving'
  }

  /** Resolves when `isReady`; rejects when that is hopeless (closed, failed). */
  async whenReady(): Promise<void> {
    if (this.#phase === 'serving') return
    if (this.#isOver) throw this.#refusal()
    await this.#whenReady.wait()
  }

  /**
   * Decides, replicates, and resolves with the machine's reply: when all it saw is committed, or when a later decision replies.
   * @throws Refused as the machine says; `notLeader`; COORDINATOR_LOAD_IN_PROGRESS while the state is loaded, or when more
   *   callers wait than `commandsPendingMax`
   */
  execute<T extends keyof Replies & string>(command: Extract<Command, { type: T }>): Promise<Replies[T]> {
    return new Promise<Replies[T]>((resolve, reject) => {
      const refused = this.#phase === 'serving' ? this.#overload() : this.#refusal()
      if (refused !== null) return reject(refused)
      const token = this.#callers.add({ resolve: (reply) => resolve(reply as Replies[T]), reject })
      this.#take(command, token)
    })
  }

  /**
   * Reads the state where it leads: with everything decided, committed or not. What must not be undone is asked by a command.
   * The state must not be kept.
   * @throws Refused as `execute`
   */
  query<T>(read: (state: Readonly<State>) => T): T {
    if (this.#phase !== 'serving') throw this.#refusal()
    return read(this.#state.value)
  }

  /** Committed changes in order, each once, replayed ones too; none of what the image held. (A leader's `state` may be further.) */
  onApplied(listener: (change: Change, state: Readonly<State>) => void): () => void {
    return this.#state.onApplied(listener)
  }

  /** Resolves when all below `offset` is committed and applied here; rejects when that is hopeless (closed, failed). */
  async whenApplied(offset: number): Promise<void> {
    if (this.#isOver) throw this.#refusal()
    await this.#state.whenHeard(offset)
  }

  /** Who waits is refused. The replica stays open. */
  close(): void {
    if (this.#phase === 'closed') return
    this.#stopServing('closed')
    this.#unsubscribe()
    this.#settle()
  }

  get #isOver(): boolean {
    return this.#phase === 'failed' || this.#phase === 'closed'
  }

  #now(): Now {
    return { wallMs: this.#options.clock.now(), monotonicMs: this.#options.clock.monotonic() }
  }

  #refusal(): Refused {
    const { notLeader } = this.#options
    if (this.#phase === 'closed') return new Refused(notLeader, 'this broker is closing')
    if (this.#phase === 'failed') {
      return new Refused(notLeader, `'${this.#replica.name}' is offline: ${messageOf(this.#failure)}`)
    }
    if (this.#replica.isReady)
      return new Refused('COORDINATOR_LOAD_IN_PROGRESS', `'${this.#replica.name}' is loading`)
    return new Refused(notLeader, `this broker does not lead '${this.#replica.name}'`)
  }

  #overload(): Refused | null {
    if (this.#callers.size < this.#options.settings.commandsPendingMax) return null
    return new Refused('COORDINATOR_LOAD_IN_PROGRESS', `${this.#callers.size} commands wait already`)
  }

  #take(command: Command, token: Token): void {
    if (this.#isHolding) this.#held.push({ command, token })
    else this.#decide(command, token)
  }

  #decide(command: Command, token: Token): void {
    const now = this.#now()
    const machine = this.#machine
    let decision: ReturnType<typeof machine.decide>
    try {
      decision = machine.decide(this.#state.value, command, now, token)
    } catch (error) {
      // It only reads: the state is what it was.
      if (token === nobody) this.#fail(error)
      else this.#callers.reject(token, error)
      return
    }
    const { changes, replies } = decision
    this.#turn ??= new Turn()
    const turn = this.#turn
    try {
      for (const change of changes) {
        turn.add(change, machine.changes.encode(change), now.wallMs)
        machine.apply(this.#state.value, change)
      }
      for (const change of decision.volatile) machine.touch(this.#state.value, change, now)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (turn.bytes === 0 && this.#proposedEnd <= this.#replica.highWatermark) {
      for (const reply of replies) this.#callers.answer(reply)
    } else turn.replies.push(...replies)
    if (turn.bytes >= batchBytesTarget) this.#propose()
    if (this.#isTurnEnding) return
    this.#isTurnEnding = true
    this.#options.clock.soon(() => this.#endTurn())
  }

  #endTurn(): void {
    this.#isTurnEnding = false
    if (this.#phase !== 'serving') return
    this.#propose()
    this.#maybeTakeImage()
    this.#arm()
  }

  /** What was decided since the last proposal takes its place in the log; its replies wait for that. */
  #propose(): void {
    const turn = this.#turn
    if (turn === null || this.#phase !== 'serving') return
    this.#turn = null
    const batch = turn.build()
    try {
      if (batch !== null) this.#proposedEnd = this.#replica.propose(batch).endOffset
    } catch (error) {
      if (error instanceof Refused) this.#resign('loading')
      else this.#fail(error)
      return
    }
    const generation = this.#generation
    const end = this.#proposedEnd
    this.#replica.onCommitted(end, this.#epoch, (refused) => {
      if (generation !== this.#generation) return
      if (refused === null) this.#committed(turn, end, batch?.length ?? 0)
      else this.#resign()
    })
  }

  #committed(turn: Turn<Change, Replies[keyof Replies]>, end: number, bytes: number): void {
    this.#state.committed(turn.changes, end)
    for (const reply of turn.replies) this.#callers.answer(reply)
    this.#images.changed(turn.changes.length, bytes)
    this.#maybeTakeImage()
  }

  #arm(): void {
    if (this.#phase === 'serving') this.#timer.set(this.#machine.deadline(this.#state.value))
  }

  #timerFired(): void {
    if (this.#phase !== 'serving') return
    const isDue = this.#machine.deadline(this.#state.value) <= this.#options.clock.monotonic()
    if (isDue && !this.#isHolding) this.#decide(this.#machine.onDeadline(), nobody)
    this.#arm()
  }

  /** Leadership is lost, or a proposal was refused. What was decided and is not committed must go from the state. */
  #resign(into: 'loading' | 'following' = this.#isAhead ? 'loading' : 'following'): void {
    if (this.#phase !== 'serving') return
    this.#stopServing(into)
    this.#catchUp()
  }

  get #isAhead(): boolean {
    return this.#proposedEnd > this.#state.applied || (this.#turn?.changes.length ?? 0) > 0
  }

  #stopServing(into: 'loading' | 'following' | 'failed' | 'closed'): void {
    const wasServing = this.#phase === 'serving'
    this.#phase = into
    if (!wasServing) return
    this.#generation++
    this.#timer.cancel()
    this.#turn = null
    this.#held = []
    this.#isHolding = false
    if (into !== 'failed') this.#machine.onResign(this.#state.value)
    const code = this.#options.outcomeOpen ?? this.#options.notLeader
    this.#callers.refuseAll(
      new Refused(code, 'leadership was lost before the commit; it may yet take effect'),
    )
  }

  #advanced(): void {
    const { fault, isReady, epoch } = this.#replica
    if (fault !== null) this.#fail(fault)
    else if (this.#phase !== 'serving') this.#catchUp()
    else if (!isReady || epoch !== this.#epoch) this.#resign()
  }

  #catchUp(): void {
    if (this.#isCatchingUp || this.#isOver) return
    this.#isCatchingUp = true
    this.#replay().then(
      () => this.#settle(),
      (error: unknown) => this.#fail(error),
    )
  }

  /** Loads, applies what is committed, and serves when this member leads and that was all. */
  async #replay(): Promise<void> {
    try {
      while (this.#phase === 'loading' || this.#phase === 'following') {
        if (this.#phase === 'loading' || this.#state.isBehind) {
          this.#state.load()
          this.#replica.retainFrom(this.#state.applied)
          this.#phase = 'following'
        }
        const { highWatermark, log, isReady } = this.#replica
        if (this.#state.applied < highWatermark) {
          const { changes, bytes } = await this.#state.replay(highWatermark)
          this.#images.changed(changes, bytes)
        } else {
          if (isReady && this.#state.applied >= log.end) this.#serve()
          else this.#maybeTakeImage()
          return
        }
      }
    } finally {
      // In the same breath as the last look at the high watermark: who moves it afterwards finds nobody at work.
      this.#isCatchingUp = false
    }
  }

  #serve(): void {
    const { applied } = this.#state
    this.#phase = 'serving'
    this.#epoch = this.#replica.epoch
    this.#proposedEnd = applied
    this.#machine.onLead(this.#state.value, this.#now())
    this.#event('debug', 'machine.loaded', `serves from offset ${applied} in epoch ${this.#epoch}`)
    this.#whenReady.open()
    this.#options.onServing?.()
    this.#maybeTakeImage()
    this.#arm()
  }

  /** Opening is over when it serves, when it is clear that it follows, and when it failed. */
  #settle(): void {
    const { role, fault } = this.#replica
    if (this.#phase === 'failed') this.#whenSettled.fail(this.#failure)
    else if (this.#isOver || this.#phase === 'serving' || role !== 'leader' || fault !== null) {
      this.#whenSettled.open()
    }
    if (!this.#isOver) return
    this.#whenReady.fail(this.#refusal())
    this.#state.refuse(this.#refusal())
  }

  #maybeTakeImage(): void {
    const isServing = this.#phase === 'serving'
    if (!this.#images.isDue || (!isServing && this.#phase !== 'following')) return
    if (isServing && (this.#isAhead || this.#turn !== null)) {
      this.#isHolding = true
      return
    }
    const { applied } = this.#state
    if (this.#images.isDurable(applied)) {
      void this.#writeImage(applied, this.#machine.image.encode(this.#state.value))
    }
    this.#isHolding = false
    for (const { command, token } of this.#held.splice(0)) this.#take(command, token)
  }

  async #writeImage(offset: number, image: Buffer): Promise<void> {
    const fault = await this.#images.write(offset, image)
    if (fault !== null) {
      this.#event('warn', 'machine.image.failed', `image at ${offset}: ${fault.message}`)
      return
    }
    this.#replica.retainFrom(offset)
    if (this.#phase !== 'serving') return
    await this.#replica.raiseStart(offset).catch((error: unknown) => {
      // Not the leader any more, or the disk has failed: the next leader trims, or nobody.
      if (!(error instanceof Refused)) throw error
    })
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    this.#failure = error
    this.#stopServing('failed')
    this.#event('error', 'machine.failed', `stopped serving: ${messageOf(error)}`)
    this.#settle()
    this.#options.onFailed?.(error)
  }

  #event(level: ReplicaEvent['level'], event: ReplicaEvent['event'], message: string): void {
    const { name } = this.#replica
    this.#options.onEvent({ level, event, message, replica: name, machine: this.#machine.name })
  }
}
