/** Doubles with every failure up to the bound, +-20 %, so that many clients do not come back at the same moment (KIP-580). */
export function backoff(
  failures: number,
  bounds: { readonly retryBackoffMs: number; readonly retryBackoffMaxMs: number },
  random: { float(): number },
): number {
  const full = Math.min(bounds.retryBackoffMs * 2 ** failures, bounds.retryBackoffMaxMs)
  return full * (0.8 + 0.4 * random.float())
}
