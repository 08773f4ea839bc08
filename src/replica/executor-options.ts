/** What an executor is given. */
import type { ErrorName } from '../base/error-codes.ts'
import type { Clock } from '../io/world.ts'
import type { Machine } from '../machines/machine.ts'
import type { ImageSettings } from './image-writer.ts'
import type { Replica } from './replica.ts'
import type { ReplicaEvent } from './replica-event.ts'

export interface ExecutorSettings extends ImageSettings {
  /** Callers that wait, for commits and for later decisions. More are refused. */
  readonly commandsPendingMax: number
}

export interface ExecutorOptions<
  State,
  Command extends { type: string },
  Change,
  Volatile,
  Replies extends Record<string, unknown>,
> {
  readonly machine: Machine<State, Command, Change, Volatile, Replies>
  readonly replica: Replica
  readonly clock: Clock
  readonly settings: ExecutorSettings
  /**
   * The refusal when this member cannot serve: not the leader, leadership lost before the commit (the outcome is open), disk
   * failed. Kafka's coordinators and controller answer the same in all three, and its clients look for the leader and try again.
   */
  readonly notLeader: ErrorName
  /** Leadership was lost before the commit: it may yet take effect. Absent: `notLeader`. */
  readonly outcomeOpen?: ErrorName
  /** As `Executor.onApplied`, from the beginning. */
  readonly onApplied?: (change: Change) => void
  /** Everything at once: what an image held, when there was no hearing of its changes. `state` is to be copied. */
  readonly onJumped?: (state: Readonly<State>) => void
  /** This member leads, and decides from now on. */
  readonly onServing?: () => void
  /** It serves no more, and does not follow either: the disk failed, or what lies on it gives no state. */
  readonly onFailed?: (cause: unknown) => void
  readonly onEvent: (event: ReplicaEvent) => void
}
