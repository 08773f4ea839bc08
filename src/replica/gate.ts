/** Those who wait for one thing to happen: let through together, or turned away together. */
export class Gate {
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []

  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  open(): void {
    if (this.#waiting.length === 0) return
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
