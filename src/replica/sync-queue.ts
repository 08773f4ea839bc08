/**
 * The syncs of all logs of a broker: so many at a time, in the order they were asked for. More at once than the disk has use
 * for would only fill the thread pool that reads need, too.
 */

export interface Synced {
  /** Handles its own faults: a rejection is a bug and ends the process. */
  sync(): Promise<void>
}

export class SyncQueue {
  readonly #inFlightMax: number
  #waiting: Synced[] = []
  #first = 0
  #inFlight = 0

  constructor(inFlightMax: number) {
    this.#inFlightMax = inFlightMax
  }

  /** The caller asks once and again only after its `sync` was called, so the queue is never longer than there are logs. */
  request(synced: Synced): void {
    this.#waiting.push(synced)
    this.#pump()
  }

  #pump(): void {
    while (this.#inFlight < this.#inFlightMax && this.#first < this.#waiting.length) {
      const synced = this.#waiting[this.#first++] as Synced
      this.#inFlight++
      void synced.sync().finally(() => {
        this.#inFlight--
        this.#pump()
      })
    }
    // Moved only when half is spent: each is moved once, on average.
    if (this.#first * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }
}
