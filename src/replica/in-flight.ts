/** Work that runs on its own; closing waits for it. */
export class InFlight {
  #count = 0
  #idle: (() => void)[] = []

  /** `work` handles its own faults: a rejection is a bug and ends the process. */
  run(work: Promise<void>): void {
    this.#count++
    void work.finally(() => {
      if (--this.#count > 0) return
      const idle = this.#idle
      this.#idle = []
      for (const resolve of idle) resolve()
    })
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#count > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
}
