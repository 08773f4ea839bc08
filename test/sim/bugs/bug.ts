/** A bug that can be planted. A test that cannot see it is worth nothing. */
import type { Fault } from '../faults.ts'
import type { Plan } from '../plan.ts'

export interface Bug {
  readonly name: string
  /** One that catches it. */
  readonly seed: number
  /** It takes these faults; without, those of the seed. */
  readonly faults?: readonly Fault[]
  /** Changes the plan of a seed so that it meets the bug, after the faults have been put in. */
  readonly aim?: (plan: Plan) => Plan
  /** Plants it in this process, before anything runs. */
  readonly plant?: () => () => void
  /** Plants it in a process that has not loaded the code yet. */
  readonly edits?: readonly Edit[]
}

/** Other words in the place of some that stand in a file once: as compiled, the path below src. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly put: string
}

export const edit = (file: string, find: string, put: string): Edit => ({ file: `${file}.js`, find, put })
