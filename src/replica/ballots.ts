/**
 * Ballots on their way to the disk, and the promises that wait for them: votes, candidacies and acknowledgements leave only when
 * the epoch they speak of cannot be forgotten any more.
 */
import type { Ballot } from '../raft/ready.ts'
import type { BallotFile } from './ballot-file.ts'
import type { InFlight } from './in-flight.ts'
import type { Synced, SyncQueue } from './sync-queue.ts'

export interface BallotsOptions<Promised> {
  readonly file: BallotFile
  readonly syncs: SyncQueue
  readonly inFlight: InFlight
  readonly send: (promises: readonly Promised[]) => void
  readonly onStored: (epoch: number) => void
  readonly onFault: (error: unknown) => void
}

export class Ballots<Promised> implements Synced {
  readonly #options: BallotsOptions<Promised>
  #newest: Ballot | null = null
  #isStoring = false
  #promises: Promised[] = []

  constructor(options: BallotsOptions<Promised>) {
    this.#options = options
  }

  store(ballot: Ballot): void {
    this.#newest = ballot
    if (this.#isStoring) return
    this.#isStoring = true
    this.#options.syncs.request(this)
  }

  /** Sends them as soon as every ballot before them is durable: now, as a rule. */
  promise(promises: readonly Promised[]): void {
    if (promises.length === 0) return
    if (this.#isStoring) this.#promises.push(...promises)
    else this.#options.send(promises)
  }

  /** What is stored or promised and not out yet never will be. */
  stop(): void {
    this.#newest = null
    this.#promises = []
  }

  /** Called by the queue. */
  async sync(): Promise<void> {
    const running = this.#run()
    this.#options.inFlight.run(running)
    await running
  }

  async #run(): Promise<void> {
    const { file, send, onStored, onFault } = this.#options
    try {
      while (this.#newest !== null) {
        const ballot = this.#newest
        this.#newest = null
        await file.store(ballot)
        onStored(ballot.epoch)
      }
    } catch (error) {
      // What was promised is never sent: nobody may rely on it.
      onFault(error)
      return
    }
    this.#isStoring = false
    const promises = this.#promises
    this.#promises = []
    send(promises)
  }
}
