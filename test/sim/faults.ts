/**
 * What can happen to a cluster, as data. The faults of a run are drawn before it begins, so that a failing run can be written down,
 * read, and cut smaller; the injector carries them out. One that would hit a broker that another one has in its hands is left out.
 */
import type { SeededRandom } from '../../src/embedded/seeded-random.ts'

/** From one broker to another, in this direction. */
export type Link = readonly [from: number, to: number]

export type Fault = { readonly atMs: number } & (
  | { readonly kind: 'kill' | 'losePower' | 'stop'; readonly node: number; readonly downMs: number }
  /** The power of all goes at the same time. */
  | { readonly kind: 'losePowerOfAll'; readonly downMs: number }
  /** The power goes at the `operations`-th change of the disk from then on. */
  | {
      readonly kind: 'losePowerAt'
      readonly node: number
      readonly operations: number
      readonly downMs: number
    }
  /**
   * The next sync of a file fails; after `restartMs` the machine is restarted. Not only the process: the kernel has dropped what
   * it could not write from what it will ever write, and still shows it to who reads.
   */
  | { readonly kind: 'failSync'; readonly node: number; readonly restartMs: number }
  /** No byte more fits; then there is room again, and the process is restarted. */
  | { readonly kind: 'fillDisk'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'slowDisk'; readonly node: number; readonly forMs: number; readonly syncMaxMs: number }
  /** The process stands still: a SIGSTOP when it is long, a stalled event loop when it is short. */
  | { readonly kind: 'pause'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'jump'; readonly node: number; readonly byMs: number }
  | { readonly kind: 'resetConnections'; readonly probability: number }
  /** Nothing gets through these links: one way each. At the latest until this broker leads that quorum. */
  | {
      readonly kind: 'cut'
      readonly links: readonly Link[]
      readonly forMs: number
      readonly until?: { readonly node: number; readonly name: string }
    }
  /** Links are clogged one after the other and freed in another order.  @source FoundationDB's swizzle */
  | {
      readonly kind: 'swizzle'
      readonly links: readonly Link[]
      readonly freed: readonly Link[]
      readonly everyMs: number
    }
  /** When this happens next in a quorum of several (of this partition, if one is named), its prey is hit so much later. */
  | {
      readonly kind: 'hunt'
      /** Absent: somebody is elected. */
      readonly moment?: Moment
      readonly afterMs: number
      readonly prey: Prey
      readonly forMs: number
      readonly place?: number
    }
  /** Whoever leads this partition is hit. */
  | { readonly kind: 'hit'; readonly place: number; readonly prey: Prey; readonly forMs: number }
  /** It loses its disk and comes back under its old id, which must be refused; then its disk is found again. */
  | { readonly kind: 'wipe'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'reassign'; readonly place: number; readonly replicas: readonly number[] }
  | { readonly kind: 'transfer'; readonly place: number }
)

/** Somebody has won an election, asks for votes in a new epoch, or leads and has just appended a change of voters. */
export type Moment = 'elected' | 'stands' | 'reconfigures'

/** Whom it happened to, or who leads, is hit; see prey.ts for the others. */
export type Prey =
  | 'kill'
  | 'losePower'
  | 'pause'
  | 'isolate'
  | 'orphan'
  | 'stall'
  | 'predecessor'
  | 'divide'
  | 'strand'
export type FaultKind = Fault['kind']

/** Of one seed: which kinds of faults it has, each on or off. */
export interface Toss {
  on(probability?: number): boolean
}

export interface Drawn {
  readonly brokers: readonly number[]
  readonly places: number
  readonly durationMs: number
  readonly random: SeededRandom
}

type Draw = (atMs: number) => Fault

export function faultsOf(drawn: Drawn): Fault[] {
  const { random, durationMs } = drawn
  const draws = drawsOf(drawn)
  const everyMs = 150 + random.below(900)
  const faults: Fault[] = []
  for (let atMs = 500; draws.length > 0 && atMs < durationMs; atMs += 1 + random.below(2 * everyMs)) {
    // Now and then a pause: what is always hit gets nowhere, and shows nothing.
    if (random.chance(0.1)) atMs += 1000
    const draw = draws[random.below(draws.length)]
    if (draw !== undefined) faults.push(draw(atMs))
  }
  return faults
}

function drawsOf({ brokers, places, random }: Drawn): Draw[] {
  const on = (probability: number): boolean => random.chance(probability)
  const downMs = (): number => 20 + random.below(400)
  const node = (): number => brokers[random.below(brokers.length)] as number
  const draws: Draw[] = []
  const toss = (probability: number, draw: Draw): void => {
    if (on(probability)) draws.push(draw)
  }
  toss(0.5, (atMs) => ({ kind: 'kill', atMs, node: node(), downMs: downMs() }))
  toss(0.5, (atMs) => ({ kind: 'losePower', atMs, node: node(), downMs: downMs() }))
  toss(0.2, (atMs) => ({ kind: 'losePowerOfAll', atMs, downMs: downMs() }))
  toss(0.5, (atMs) => ({
    kind: 'losePowerAt',
    atMs,
    node: node(),
    operations: 1 + random.below(40),
    downMs: downMs(),
  }))
  toss(0.3, (atMs) => ({ kind: 'stop', atMs, node: node(), downMs: downMs() }))
  toss(0.2, (atMs) => ({ kind: 'failSync', atMs, node: node(), restartMs: downMs() }))
  toss(0.15, (atMs) => ({ kind: 'fillDisk', atMs, node: node(), forMs: downMs() }))
  toss(0.3, (atMs) => {
    const syncMaxMs = 50 + random.below(1000)
    return { kind: 'slowDisk', atMs, node: node(), forMs: 4 * downMs(), syncMaxMs }
  })
  toss(0.2, (atMs) => ({ kind: 'jump', atMs, node: node(), byMs: random.below(7_200_000) - 3_600_000 }))
  toss(0.3, (atMs) => ({ kind: 'resetConnections', atMs, probability: random.float() }))
  toss(0.3, (atMs) => ({ kind: 'pause', atMs, node: node(), forMs: pauseMs(random) }))
  if (brokers.length < 2) return draws
  toss(0.5, (atMs) => ({ kind: 'cut', atMs, links: partition(brokers, random), forMs: 3 * downMs() }))
  toss(0.2, (atMs) => swizzle(atMs, brokers, random))
  toss(0.5, (atMs) => {
    // Exponential: most of them soon.
    const afterMs = Math.round(-Math.log(1 - random.float()) * 60)
    const prey = preys[random.below(preys.length)] as Prey
    return { kind: 'hunt', atMs, afterMs: prey === 'orphan' ? 0 : afterMs, prey, forMs: 2 * downMs() }
  })
  toss(0.3, (atMs) => {
    const [moment, prey] = ambushes[random.below(ambushes.length)] as (typeof ambushes)[number]
    return {
      kind: 'hunt',
      atMs,
      afterMs: random.below(2) * random.below(10),
      moment,
      prey,
      forMs: 2 * downMs(),
    }
  })
  toss(0.1, (atMs) => ({ kind: 'wipe', atMs, node: node(), forMs: 4 * downMs() }))
  toss(0.3, (atMs) => ({ kind: 'transfer', atMs, place: random.below(places) }))
  toss(0.3, (atMs) => {
    const replicas = shuffled(brokers, random).slice(0, 1 + random.below(brokers.length))
    return { kind: 'reassign', atMs, place: random.below(places), replicas }
  })
  return draws
}

const preys: readonly Prey[] = ['kill', 'losePower', 'pause', 'isolate', 'orphan', 'stall', 'strand']
const ambushes: readonly (readonly [Moment, Prey])[] = [
  ['stands', 'predecessor'],
  ['stands', 'isolate'],
  ['stands', 'losePower'],
  ['elected', 'predecessor'],
  ['reconfigures', 'divide'],
  ['reconfigures', 'isolate'],
  ['reconfigures', 'kill'],
]

/** Half of them short, as a stalled event loop is. */
const pauseMs = (random: SeededRandom): number => (random.chance(0.5) ? 30 : 300) + random.below(300)

/** Links that are cut: any, one broker from all, two sides, two sides with a bridge; half of the time one way only. */
function partition(brokers: readonly number[], random: SeededRandom): Link[] {
  const some = shuffled(brokers, random)
  const style = random.below(4)
  const isOneWay = random.chance(0.3)
  if (style === 0) return linksOf(brokers).filter(() => random.chance(0.3))
  const size = style === 1 ? 1 : 1 + random.below(brokers.length - 1)
  const bridge = style === 3 ? some.at(-1) : undefined
  const [near, far] = [some.slice(0, size), some.slice(size).filter((one) => one !== bridge)]
  return near.flatMap(
    (from) =>
    far.flatMap((to): Link[] => (isOneWay ? [[from, to]] : [[from, to], [to, from]])), // biome-ignore format: pairs
  )
}

function swizzle(atMs: number, brokers: readonly number[], random: SeededRandom): Fault {
  const links = shuffled(linksOf(brokers), random).slice(0, 2 + random.below(brokers.length * 2))
  return { kind: 'swizzle', atMs, links, freed: shuffled(links, random), everyMs: 10 + random.below(80) }
}

function linksOf(brokers: readonly number[]): Link[] {
  return brokers.flatMap((from) => brokers.filter((to) => to !== from).map((to): Link => [from, to]))
}

export function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const left = [...items]
  const order: T[] = []
  while (left.length > 0) order.push(...left.splice(random.below(left.length), 1))
  return order
}
