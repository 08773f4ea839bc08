/** Bugs that only a cluster can have. */
import type { Bug } from './bug.ts'

export const clusterBugs: readonly Bug[] = []
