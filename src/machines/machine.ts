/**
 * The one shape of everything replicated (controller, groups, ...): a value of this type.
 *
 * `decide` only reads, `apply` only writes, neither awaits and neither touches the world: time comes in as `Now`.
 * The executor (src/replica/executor.ts) runs `decide` on the member that leads, applies the changes to its state at once,
 * replicates them, and lets the replies leave when all that the decision saw is committed. Everywhere else, and after a
 * restart, the same state grows from `image` and `apply`.
 *
 * (Kafka's ControllerResult/CoordinatorResult and replay.)
 */
export interface Machine<
  State,
  Command extends { type: string },
  Change,
  Volatile,
  Replies extends Record<string, unknown>,
> {
  readonly name: string
  empty(): State
  /** `token` names the caller: give it in `replies`, now or in a later decision (a join waits for the others). */
  decide(
    state: Readonly<State>,
    command: Command,
    now: Now,
    token: Token,
  ): Decision<Change, Volatile, Replies>
  /** Writes a replicated change into the state. Must be deterministic: the same on every member, live or replayed. */
  apply(state: State, change: Change): void
  /** Writes what only the leading member knows (sessions, waiting callers); lost with leadership, never replicated. */
  touch(state: State, change: Volatile, now: Now): void
  /**
   * When this machine wants to be asked again even if nobody calls (a session or a rebalance runs out), in monotonic ms;
   * Infinity for never. The executor then runs the command that `onDeadline` gives.
   */
  deadline(state: Readonly<State>): number
  onDeadline(): Command
  /** Called on the member that starts to lead, after replay: what volatile state the replicated one implies. */
  onLead(state: State, now: Now): void
  /** Leadership is lost: the tokens that still wait, to be answered with a refusal. Clears the volatile state. */
  onResign(state: State): readonly Token[]

  readonly changes: {
    encode(change: Change): { key: Buffer; value: Buffer }
    decode(key: Buffer, value: Buffer): Change
  }
  readonly image: { encode(state: Readonly<State>): Buffer; decode(image: Buffer): State }
}

export interface Now {
  /** Wall clock: what is stored and compared across restarts (commit timestamps, expiry). */
  readonly wallMs: number
  /** Monotonic clock of this process: sessions and rebalances. */
  readonly monotonicMs: number
}

/** Who waits for a reply. */
export type Token = number

export interface Decision<Change, Volatile, Replies> {
  /** Replicated, in order. */
  readonly changes: readonly Change[]
  /** Leader's memory only, applied after `changes`. */
  readonly volatile: readonly Volatile[]
  readonly replies: readonly ReplyTo<Replies[keyof Replies]>[]
}

/** A reply, or a refusal that rejects the caller's promise with Refused(code, detail). */
export type ReplyTo<Reply> =
  | { readonly to: Token; readonly reply: Reply }
  | { readonly to: Token; readonly refused: ErrorName; readonly detail: string }

import type { ErrorName } from '../base/error-codes.ts'
