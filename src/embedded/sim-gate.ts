import type { Clock } from '../io/world.ts'

/** Between a process and the world: shut while the process stands still (SIGSTOP, a stalled event loop). What happens waits. */
export class Gate {
  readonly #clock: Pick<Clock, 'soon'>
  #isShut = false
  #held: (() => void)[] = []
  /** Called when all that was held has passed; null unless it is about to open. */
  #onOpen: (() => void) | null = null
  #isPassing = false

  constructor(clock: Pick<Clock, 'soon'>) {
    this.#clock = clock
  }

  get isShut(): boolean {
    return this.#isShut
  }

  /** Now, or when it opens, in order. */
  pass(act: () => void): void {
    if (this.#isShut) this.#held.push(act)
    else act()
  }

  shut(): void {
    this.#isShut = true
    this.#onOpen = null
  }

  /**
   * Lets go of what it holds, one act a turn as Node does, so that who awaited the first has gone on when the second comes. Until
   * the last has passed it stays shut: nothing overtakes.
   */
  open(onOpen: () => void = () => {}): void {
    this.#onOpen = onOpen
    if (!this.#isPassing) this.#passNext()
  }

  /** The process is no more, and nobody hears of it. */
  clear(): void {
    this.#isShut = false
    this.#onOpen = null
    this.#held = []
  }

  #passNext(): void {
    this.#isPassing = false
    const onOpen = this.#onOpen
    if (onOpen === null) return
    const act = this.#held.shift()
    if (act === undefined) {
      this.#isShut = false
      this.#onOpen = null
      onOpen()
      return
    }
    this.#isPassing = true
    this.#clock.soon(() => this.#passNext())
    act()
  }
}
