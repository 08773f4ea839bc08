/**
 * Where a fetch waits until there is enough to read, or its time is up. Nothing else waits here: produce requests wait for
 * their quorum (`replica.onCommitted`), joins for their group.
 *
 * A fetch is looked at only when one of its partitions moves, and then only that partition is counted again: a thousand
 * partitions that move cost a thousand looks, not a million.
 *
 * A record that a thousand wait for wakes so many of them in one turn of the event loop, and the others in the next turns: each reads
 * and answers at once.
 *
 * Each waits with a timer of its own: on Node that costs 0.3 us for setting and cancelling (timers of one duration share a
 * list), less than a wheel of ours would.
 */
import type { Clock, Timer } from '../io/world.ts'
import type { Partition, PartitionWatcher } from './partition.ts'

/** Why a fetch stopped waiting. 'abandoned': nobody is there any more to be answered. */
export type Woken = 'due' | 'timeout' | 'abandoned'

export interface Parking<Want extends { readonly partition: Partition }> {
  /** Who waits, for `abandon`. */
  readonly connection: string
  readonly maxWaitMs: number
  readonly wants: readonly Want[]
  /** Whether it need not wait any longer, now that the partition of `want` has moved. */
  isDue(want: Want): boolean
}

export class Purgatory {
  readonly #clock: Clock
  readonly #parkedMax: number
  readonly #parked = new Map<string, Set<Waking>>()
  readonly #wokenMax: number
  /** Whose time has come, beyond what goes on in this turn. */
  readonly #line: (() => void)[] = []
  /** In this turn; it ends when the next one begins. */
  #woken = 0
  #isTurn = false
  #size = 0
  #isClosed = false

  /** @param options.wokenMax in one turn of the event loop */
  constructor(options: { clock: Clock; parkedMax: number; wokenMax: number }) {
    this.#clock = options.clock
    this.#parkedMax = options.parkedMax
    this.#wokenMax = options.wokenMax
  }

  /** Fetches that wait. */
  get size(): number {
    return this.#size
  }

  /** Waits; when the place is full or closed, resolves at once with 'timeout'. */
  park<Want extends { readonly partition: Partition }>(parking: Parking<Want>): Promise<Woken> {
    if (this.#isClosed || this.#size >= this.#parkedMax) return Promise.resolve('timeout')
    return new Promise((resolve) => {
      const parked = new Parked(parking, this.#clock, {
        inTurn: (wake) => this.#inTurn(wake),
        onWoken: (woken) => {
          this.#leave(parking.connection, parked)
          resolve(woken)
        },
      })
      const others = this.#parked.get(parking.connection)
      if (others === undefined) this.#parked.set(parking.connection, new Set([parked]))
      else others.add(parked)
      this.#size++
    })
  }

  /** The connection is gone: what it waited for is let go. */
  abandon(connection: string): void {
    for (const parked of this.#parked.get(connection) ?? []) parked.wake('abandoned')
  }

  /** Answers everybody with what there is; nobody waits from now on. */
  close(): void {
    this.#isClosed = true
    for (const ofConnection of this.#parked.values())
      for (const parked of ofConnection) parked.wake('timeout')
  }

  #inTurn(wake: () => void): void {
    if (!this.#isTurn) {
      this.#isTurn = true
      this.#clock.soon(() => this.#nextTurn())
    }
    if (this.#woken >= this.#wokenMax) {
      this.#line.push(wake)
      return
    }
    this.#woken++
    wake()
  }

  #nextTurn(): void {
    this.#isTurn = false
    this.#woken = 0
    for (const wake of this.#line.splice(0, this.#wokenMax)) this.#inTurn(wake)
  }

  #leave(connection: string, parked: Waking): void {
    this.#size--
    const others = this.#parked.get(connection)
    others?.delete(parked)
    if (others?.size === 0) this.#parked.delete(connection)
  }
}

/** What a fetch that waits has of the purgatory. */
interface Place {
  /** Calls `wake` when it is its turn. */
  inTurn(wake: () => void): void
  onWoken(woken: Woken): void
}

interface Waking {
  wake(woken: Woken): void
}

class Parked<Want extends { readonly partition: Partition }> {
  readonly #parking: Parking<Want>
  readonly #place: Place
  readonly #watches: Watch<Want>[]
  readonly #timer: Timer
  /** Its time has come. */
  #isDue = false
  #isAwake = false

  constructor(parking: Parking<Want>, clock: Clock, place: Place) {
    this.#parking = parking
    this.#place = place
    this.#watches = parking.wants.map((want) => new Watch(want, this))
    for (const watch of this.#watches) watch.want.partition.watch(watch)
    this.#timer = clock.setTimer(parking.maxWaitMs, () => this.#wakeInTurn('timeout'))
  }

  moved(want: Want): void {
    if (!this.#isDue && this.#parking.isDue(want)) this.#wakeInTurn('due')
  }

  #wakeInTurn(woken: Woken): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#place.inTurn(() => this.wake(woken))
  }

  /** The first call counts. */
  wake(woken: Woken): void {
    if (this.#isAwake) return
    this.#isAwake = this.#isDue = true
    this.#timer.cancel()
    for (const watch of this.#watches) watch.want.partition.unwatch(watch)
    this.#place.onWoken(woken)
  }
}

/** One waiting fetch at one of its partitions. */
class Watch<Want extends { readonly partition: Partition }> implements PartitionWatcher {
  constructor(
    readonly want: Want,
    readonly parked: Parked<Want>,
  ) {}

  moved(): void {
    this.parked.moved(this.want)
  }
}
