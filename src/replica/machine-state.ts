/**
 * The state of a machine as it grows from its image and the log, and those who follow it.
 *
 *     image ... log: changes below `applied` are in the state; listeners have heard of those below `heard`
 */
import { Faulted, Refused } from '../base/errors.ts'
import type { Log } from '../log/log.ts'
import type { Machine } from '../machines/machine.ts'
import { readChanges } from './replay.ts'

type Grown<State, Change> = Pick<
  Machine<State, never, Change, never, never>,
  'name' | 'empty' | 'apply' | 'changes' | 'image'
>

export class MachineState<State, Change> {
  value: State
  readonly #machine: Grown<State, Change>
  readonly #log: Log
  readonly #listeners = new Set<(change: Change, state: Readonly<State>) => void>()
  readonly #onJumped: ((state: Readonly<State>) => void) | null
  /** Who waits until listeners have heard of everything below an offset. */
  #waiting: { readonly offset: number; readonly settle: (error: unknown) => void }[] = []
  #applied = 0
  #heard = 0

  /** `onJumped`: listeners do not hear of what an image held that came from elsewhere, or lay here at the start; here is all of it. */
  constructor(
    machine: Grown<State, Change>,
    log: Log,
    onJumped: ((state: Readonly<State>) => void) | null = null,
  ) {
    this.#machine = machine
    this.#log = log
    this.#onJumped = onJumped
    this.value = machine.empty()
  }

  /** Everything committed below this offset is in the state. */
  get applied(): number {
    return this.#applied
  }

  /** The log was replaced: an image stands for what is gone, and has to be loaded. */
  get isBehind(): boolean {
    return this.#applied < this.#log.start
  }

  onApplied(listener: (change: Change, state: Readonly<State>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Starts over from the newest image, or from nothing when the log begins at the beginning. @throws Faulted */
  load(): void {
    const { start, end, folder, images } = this.#log
    const image = images.newest()
    const offset = image?.offset ?? 0
    // Beyond the end: it was installed, and the log that goes with it was not before a crash. What it holds is committed.
    if (offset < start) {
      const problem = image === null ? 'there is no image' : `the newest image is of ${offset}`
      throw new Faulted(
        'bytes',
        `load ${this.#machine.name} in ${folder}: the log holds ${start} to ${end}, and ${problem}`,
      )
    }
    this.value = image === null ? this.#machine.empty() : this.#machine.image.decode(image.image)
    this.#applied = offset
    if (offset <= this.#heard) return
    this.#heard = offset
    this.#onJumped?.(this.value)
    this.#release()
  }

  /** Resolves when listeners have heard of everything below `offset`; rejects with what `refuse` gets. */
  whenHeard(offset: number): Promise<void> {
    if (offset <= this.#heard) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ offset, settle: (error) => (error === null ? resolve() : reject(error)) })
    })
  }

  refuse(error: unknown): void {
    for (const { settle } of this.#waiting.splice(0)) settle(error)
  }

  /** Applies some of what lies below `boundOffset`; says how much it was. @throws Faulted */
  async replay(boundOffset: number): Promise<{ changes: number; bytes: number }> {
    const { changes } = this.#machine
    const read = await readChanges(this.#log, this.#applied, boundOffset, (key, value) =>
      changes.decode(key, value),
    ).catch((error: unknown) => {
      if (error instanceof Refused && this.isBehind) return null
      throw error
    })
    if (read === null || this.isBehind) return { changes: 0, bytes: 0 }
    for (const { offset, change } of read.changes) {
      this.#machine.apply(this.value, change)
      this.#tell(offset, change)
    }
    this.#applied = read.nextOffset
    this.#release()
    return { changes: read.changes.length, bytes: read.bytes }
  }

  /** Changes that the state holds already, which end at `endOffset`, are committed. */
  committed(changes: readonly Change[], endOffset: number): void {
    let offset = endOffset - changes.length
    this.#applied = endOffset
    for (const change of changes) this.#tell(offset++, change)
    this.#release()
  }

  #release(): void {
    this.#heard = Math.max(this.#heard, this.#applied)
    if (this.#waiting.length === 0) return
    const heard = this.#waiting.filter(({ offset }) => offset <= this.#heard)
    this.#waiting = this.#waiting.filter(({ offset }) => offset > this.#heard)
    for (const { settle } of heard) settle(null)
  }

  /** A state may be loaded from an image below what listeners know already: they hear each change once. */
  #tell(offset: number, change: Change): void {
    if (offset < this.#heard) return
    this.#heard = offset + 1
    for (const listener of this.#listeners) listener(change, this.value)
  }
}
