/** Plans aimed at a bug: faults that make the moment likely in which it matters. */
import type { Fault, Link, Prey } from '../faults.ts'
import type { Plan } from '../plan.ts'

/** As many brokers, all of them voters, all of them with every partition. */
export const of =
  (count: number) =>
  (plan: Plan): Plan => {
    const brokers = Array.from({ length: count }, (_, i) => i + 1)
    const topics = plan.topics.map((topic) => ({ ...topic, replicas: count }))
    const settings = { ...plan.settings, 'offsets.topic.replication.factor': String(count) }
    const core = brokers.slice(0, (count >>> 1) + 1)
    return { ...plan, brokers, voters: brokers, topics, settings, core, faults: within(plan.faults, count) }
  }

/** Faults of brokers that there are. */
function within(faults: Plan['faults'], count: number): Plan['faults'] {
  return faults.map((fault) => {
    if ('node' in fault) return { ...fault, node: ((fault.node - 1) % count) + 1 }
    if (fault.kind === 'reassign') return { ...fault, replicas: fault.replicas.filter((one) => one <= count) }
    if (fault.kind === 'cut')
      return { ...fault, links: fault.links.filter((link) => Math.max(...link) <= count) }
    if (fault.kind !== 'swizzle') return fault
    const isThere = (link: readonly number[]): boolean => Math.max(...link) <= count
    return { ...fault, links: fault.links.filter(isThere), freed: fault.freed.filter(isThere) }
  })
}

/** The same again and again. */
export const every = (everyMs: number, fault: (atMs: number) => Fault): readonly Fault[] =>
  Array.from({ length: Math.floor(durationMs / everyMs) - 1 }, (_, i) => fault((i + 1) * everyMs))

export const durationMs = 3500
export const hunts = (prey: Prey, everyMs = 500, afterMs = 0): readonly Fault[] =>
  every(everyMs, (atMs) => ({ kind: 'hunt', atMs, afterMs, prey, forMs: 400 }))

export const electionsOf = (timeoutMs: number): Plan['settings'] => ({
  'lograft.election.timeout.ms': String(timeoutMs),
  'lograft.heartbeat.ms': String(timeoutMs / 4),
  'lograft.tick.ms': String(timeoutMs / 8),
  'lograft.peer.connect.timeout.ms': String(2 * timeoutMs),
  'lograft.peer.idle.timeout.ms': String(2 * timeoutMs),
})

/** Disks so slow need elections that wait for them. */
export const slow = (plan: Plan): Plan => {
  const settings = { ...plan.settings, ...electionsOf(1200) }
  return { ...plan, syncMaxMs: 200, electionTimeoutMs: 1200, settings }
}

/** Three brokers with every partition, clients enough, and these faults. */
export const three = (...faults: readonly Fault[]) => storm(3, faults)
export const storm =
  (count: number, faults: readonly Fault[], net: Plan['net'] = { delayMs: 0.5, jitterMs: 1 }) =>
  (plan: Plan): Plan => {
    const clients = { ...plan.clients, rawProducers: 2, readers: 2, listers: 1, committers: 1, members: 0 }
    const inOrder = [...faults].sort((a, b) => a.atMs - b.atMs)
    const topics = plan.topics.slice(0, 1).map((topic) => ({ ...topic, configs: {} }))
    const quick = of(count)({ ...plan, clients, topics, net, durationMs, faults: inOrder })
    return { ...quick, electionTimeoutMs: 160, settings: { ...quick.settings, ...electionsOf(160) } }
  }

/** Whoever leads the first partition. */
export const hits = (prey: Prey, everyMs = 600, forMs = 400): readonly Fault[] =>
  every(everyMs, (atMs) => ({ kind: 'hit', atMs, place: 0, prey, forMs }))

/** The leader is cut off with what it has taken; whoever comes after it dies just before it is back. */
export const relay: readonly Fault[] = [
  ...hits('isolate', 1000, 500),
  ...every(1000, (atMs) => ({ kind: 'hit', atMs: atMs + 470, place: 0, prey: 'kill', forMs: 800 })),
]

export const listening = (plan: Plan): Plan => ({
  ...plan,
  clients: { ...plan.clients, listers: 5, committers: 3 },
})
export const repeating = (plan: Plan): Plan => ({ ...plan, clients: { ...plan.clients, rawProducers: 8 } })

/** Whoever leads the first partition dies, and whoever follows it is orphaned. */
export const orphans: readonly Fault[] = [
  ...every(700, (atMs) => ({ kind: 'hunt', atMs, afterMs: 0, prey: 'orphan', forMs: 400, place: 0 })),
  ...every(700, (atMs) => ({ kind: 'hit', atMs: atMs + 1, place: 0, prey: 'kill', forMs: 300 })),
]

export const resets = every(200, (atMs) => ({ kind: 'resetConnections', atMs, probability: 0.5 }))
export const darkness = every(600, (atMs) => ({ kind: 'losePowerOfAll', atMs, downMs: 20 }))

/** Machines that write an image every few changes, and brokers that are away for some. */
export const images = (plan: Plan): Plan => {
  const away = every(700, (atMs) => ({ kind: 'kill', atMs, node: ((atMs / 700) % 3) + 1, downMs: 600 }))
  const aimed = three(...away)(plan)
  return { ...aimed, settings: { ...aimed.settings, 'lograft.image.changes.max': '5' } }
}

/** One place moves to and fro, while leaders are cut off. */
export const reshuffled = storm(5, [
  ...every(300, (atMs) => ({
    kind: 'reassign',
    atMs,
    place: 0,
    replicas: (atMs / 300) % 2 === 0 ? [1, 2, 3] : [4, 5, 1],
  })),
  ...hunts('isolate', 400, 20),
])

export const withSettings = (plan: Plan, settings: Plan['settings']): Plan => ({
  ...plan,
  settings: { ...plan.settings, ...settings },
})

/** Elections that take this long. */
export const patient = (plan: Plan, electionTimeoutMs: number): Plan => ({
  ...withSettings(plan, electionsOf(electionTimeoutMs)),
  electionTimeoutMs,
})

/** One of three is cut off from the others. */
export const alone = (node: number, atMs: number, forMs: number): Fault => {
  const others = [1, 2, 3].filter((other) => other !== node)
  const links = others.flatMap((other): Link[] => [
    [node, other],
    [other, node],
  ])
  return { kind: 'cut', atMs, links, forMs }
}
