/** What happens to whom when a hunt has found its moment, or a leader is hit: faults for the injector. */
import type { Fault, Link, Prey } from './faults.ts'

export interface Caught {
  readonly prey: Prey
  readonly forMs: number
  /** Whom it happened to, or who leads. */
  readonly node: number
  /** Of the quorum. */
  readonly name: string
  /** In force there. */
  readonly voters: readonly number[]
  /** Who led before; -1 for nobody. */
  readonly predecessor: number
  readonly brokers: readonly number[]
}

/** A sync takes up to so many times as long as the cut, so that most are under way when it ends. */
const slowness = 4
/** An answer is kept back for so many times as long as the cut, unless its time comes. */
const patience = 3

export function faultsOn({ prey, forMs, node, name, voters, predecessor, brokers }: Caught): Fault[] {
  const atMs = 0
  const others = brokers.filter((other) => other !== node)
  const cut = (links: readonly Link[]): Fault => ({ kind: 'cut', atMs, links, forMs })
  const isolated = (one: number): Fault => cut(between([one], brokers.filter((other) => other !== one))) // biome-ignore format: one
  switch (prey) {
    case 'pause':
      return [{ kind: 'pause', atMs, node, forMs }]
    case 'isolate':
      return [isolated(node)]
    // Cut off, and those who may have voted for it lose their power, before they hear of it again.
    case 'orphan':
      return [
        isolated(node),
        ...others.map((other): Fault => ({ kind: 'losePower', atMs, node: other, downMs: 5 })),
      ]
    // Cut off, with a disk so slow that what it syncs there is cut before that is over.
    case 'stall':
      return [isolated(node), { kind: 'slowDisk', atMs, node, forMs, syncMaxMs: slowness * forMs }]
    // Who led before does not hear of its successor.
    case 'predecessor':
      return predecessor < 0 || predecessor === node ? [] : [isolated(predecessor)]
    // Its voters, and it, on one side.
    case 'divide': {
      const near = brokers.filter((one) => one === node || voters.includes(one))
      return [cut(between(near, brokers.filter((one) => !near.includes(one))))] // biome-ignore format: one
    }
    // Cut off together with one that hears it: what that one answers comes when it leads again.
    case 'strand': {
      const companion = others.find((other) => voters.includes(other))
      if (companion === undefined) return []
      const rest = others.filter((other) => other !== companion)
      const until = { node, name }
      return [
        cut(between([node, companion], rest)),
        { kind: 'cut', atMs, links: [[companion, node]], forMs: patience * forMs, until },
      ]
    }
    default:
      return [{ kind: prey, atMs, node, downMs: forMs / 2 }]
  }
}

/** Both ways. */
function between(near: readonly number[], far: readonly number[]): Link[] {
  return near.flatMap(
    (one) =>
    far.flatMap((other): Link[] => [[one, other], [other, one]]), // biome-ignore format: pairs
  )
}
