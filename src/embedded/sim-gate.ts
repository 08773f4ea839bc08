/** Between a process and the world: shut while the process stands still (SIGSTOP, a stalled event loop). What happens waits. */
export class Gate {
  #isShut = false
  #held: (() => void)[] = []

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
  }

  open(): void {
    this.#isShut = false
    for (const act of this.#held.splice(0)) act()
  }

  /** The process is no more, and nobody hears of it. */
  clear(): void {
    this.#isShut = false
    this.#held = []
  }
}
