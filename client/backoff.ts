import type { KafkaError } from './errors.ts'

interface Bounds {
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

/** Doubles with every failure up to the bound, +-20 %, so that many clients do not come back at the same moment (KIP-580). */
export function backoff(failures: number, bounds: Bounds, random: { float(): number }): number {
  const full = Math.min(bounds.retryBackoffMs * 2 ** failures, bounds.retryBackoffMaxMs)
  return full * (0.8 + 0.4 * random.float())
}

/** Somebody else does it, or soon will. */
const moved = new Set<string>([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'NOT_COORDINATOR',
  'NOT_CONTROLLER',
])

/** The pause before another attempt. A broker that only hands over has a successor within milliseconds: it begins shorter then. */
export function pauseAfter(
  error: KafkaError,
  failures: number,
  settings: Bounds & { readonly leaderBackoffMs: number },
  random: { float(): number },
): number {
  const { retryBackoffMs, retryBackoffMaxMs, leaderBackoffMs } = settings
  const first = moved.has(error.code) ? Math.min(leaderBackoffMs, retryBackoffMs) : retryBackoffMs
  return backoff(failures, { retryBackoffMs: first, retryBackoffMaxMs }, random)
}
