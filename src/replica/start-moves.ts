/**
 * Moves of the log start: decided by a mark, carried out when the mark is committed and durable here. They survive a restart in
 * the journal, and are carried out again then.
 */
import { Refused } from '../base/errors.ts'
import type { Log } from '../log/log.ts'

interface Move {
  /** Of the mark. */
  readonly position: number
  readonly offset: number
  readonly settled: ((start: number | Refused) => void) | null
}

export interface StartMovesOptions {
  readonly name: string
  readonly log: Log
  /** To begin with. */
  readonly retainedFrom: number
  readonly run: (work: Promise<void>) => void
  /** The lowest position that the log still holds is this one now. */
  readonly onRaised: (position: number) => void
  readonly onFault: (error: unknown) => void
}

export class StartMoves {
  readonly #options: StartMovesOptions
  #moves: Move[] = []
  #isRaising = false
  /** The first offset that must stay; see Replica.retainFrom. */
  retainedFrom: number

  constructor(options: StartMovesOptions) {
    this.#options = options
    this.retainedFrom = options.retainedFrom
  }

  /** What the journal holds and was not carried out before the last stop. */
  recover(log: Log, fromPosition: number): void {
    for (const { mark, position } of log.marks(fromPosition, log.endPosition)) {
      if (mark.kind === 'logStart') this.add({ position, offset: mark.offset, settled: null })
    }
  }

  /** `append` puts the mark into the log and returns its position. Resolves with the start when it is reached. */
  async propose(offset: number, highWatermark: number, append: () => number): Promise<number> {
    const { name, log } = this.#options
    if (offset > highWatermark) {
      throw new Refused('OFFSET_OUT_OF_RANGE', `${offset} is above the high watermark ${highWatermark}`)
    }
    if (offset <= log.start) return log.start
    if (offset > this.retainedFrom) {
      throw new Refused('POLICY_VIOLATION', `'${name}' is needed from ${this.retainedFrom} on`)
    }
    return await new Promise((resolve, reject) => {
      const settled = (start: number | Refused): void =>
        start instanceof Refused ? reject(start) : resolve(start)
      this.add({ position: append(), offset, settled })
    })
  }

  add(move: Move): void {
    this.#moves.push(move)
  }

  /** Everything at and above `position` was cut. */
  truncate(position: number, refused: Refused): void {
    for (const move of this.#moves) if (move.position >= position) move.settled?.(refused)
    this.#moves = this.#moves.filter((move) => move.position < position)
  }

  /** Carries out what is committed and durable, in the background: what lies below `boundPosition`. */
  maybeRaise(boundPosition: number): void {
    if (this.#moves.length === 0 || this.#isRaising) return
    const target = this.target(boundPosition)
    if (target <= this.#options.log.start) return
    this.#isRaising = true
    this.#options.run(this.#raise(target))
  }

  async #raise(offset: number): Promise<void> {
    const { log, onRaised, onFault } = this.#options
    try {
      await log.raiseStart(offset)
    } catch (error) {
      onFault(error)
      return
    }
    this.#isRaising = false
    onRaised(log.base.position)
    this.#reached(log.start)
  }

  /** Where the start should be, given what is committed and durable. At most `retainedFrom`. */
  target(boundPosition: number): number {
    let offset = 0
    for (const move of this.#moves) {
      if (move.position >= boundPosition) break
      offset = Math.max(offset, move.offset)
    }
    return Math.min(offset, this.retainedFrom)
  }

  /** The log is another one now: what was decided in the old one lies below its start. */
  reset(): void {
    this.#moves = []
  }

  /** The log starts there now. */
  #reached(start: number): void {
    if (this.#moves.length === 0) return
    for (const { offset, settled } of this.#moves) if (offset <= start) settled?.(start)
    this.#moves = this.#moves.filter(({ offset }) => offset > start)
  }

  /** Who waits is told; what is decided stays so. */
  refuse(refused: Refused): void {
    if (this.#moves.length === 0) return
    for (const { settled } of this.#moves) settled?.(refused)
    this.#moves = this.#moves.map(({ position, offset }) => ({ position, offset, settled: null }))
  }
}
