/**
 * commit-regress: the committed offset of a group is a register. What is fetched was committed, and nothing that was committed
 * after it was over before the fetch began. A commit without an answer may take effect at any time, or never.
 */
import type { Anomaly, Commit, Committed } from './history.ts'
import { anomaly, type View } from './structures.ts'
import { grouped } from './sweep.ts'

export function* commitRegressions({ operations }: View): Generator<Anomaly> {
  const relevant = operations.filter(
    (one): one is Commit | Committed =>
      (one.kind === 'commit' && one.outcome !== 'fail') || (one.kind === 'committed' && one.outcome === 'ok'),
  )
  for (const register of grouped(relevant, ({ group, key }) => `${group} ${key}`).values()) {
    const commits = register.filter((one): one is Commit => one.kind === 'commit')
    const fetches = register.filter((one): one is Committed => one.kind === 'committed')
    for (const fetch of fetches) {
      const fault = faultOf(fetch, commits)
      if (fault !== null) yield anomaly('commit-regress', fetch.key, `${fetch.group}: ${fault}`)
    }
    yield* backwards(fetches, commits)
  }
}

function faultOf(fetch: Committed, commits: readonly Commit[]): string | null {
  // An ok commit that was over before the fetch: nothing older may be seen.
  let floor = -Infinity
  for (const { outcome, began, ended } of commits) {
    if (outcome === 'ok' && ended < fetch.began) floor = Math.max(floor, began)
  }
  if (fetch.offset === -1)
    return floor > -Infinity ? 'nothing is committed after a commit was acknowledged' : null
  const source = latestEnd(fetch.offset, fetch.ended, commits)
  if (source === null) return `${fetch.offset} was never committed`
  return source < floor ? `${fetch.offset} is fetched after it was committed over` : null
}

/** When the last commit of this offset that may be what was seen was over; null when there is none. */
function latestEnd(offset: number, before: number, commits: readonly Commit[]): number | null {
  let latest: number | null = null
  for (const commit of commits) {
    if (commit.offset !== offset || commit.began > before) continue
    const end = commit.outcome === 'ok' ? commit.ended : Infinity
    latest = Math.max(latest ?? -Infinity, end)
  }
  return latest
}

/** What one fetch saw, a later one sees, or something newer. */
function* backwards(fetches: readonly Committed[], commits: readonly Commit[]): Generator<Anomaly> {
  let newest: { offset: number; began: number } | null = null
  const byEnd = [...fetches].sort((a, b) => a.ended - b.ended)
  let at = 0
  for (const fetch of fetches) {
    for (let done = byEnd[at]; done !== undefined && done.ended < fetch.began; done = byEnd[++at]) {
      const began = earliestBeginning(done.offset, commits)
      if (began !== null && (newest === null || began > newest.began)) newest = { offset: done.offset, began }
    }
    if (newest === null || fetch.offset === newest.offset) continue
    const source = fetch.offset === -1 ? -Infinity : latestEnd(fetch.offset, fetch.ended, commits)
    if (source !== null && source < newest.began) {
      yield anomaly(
        'commit-regress',
        fetch.key,
        `${fetch.group}: ${fetch.offset} is fetched after ${newest.offset}`,
      )
    }
  }
}

function earliestBeginning(offset: number, commits: readonly Commit[]): number | null {
  let earliest: number | null = null
  for (const commit of commits) {
    if (commit.offset === offset) earliest = Math.min(earliest ?? Infinity, commit.began)
  }
  return earliest
}
