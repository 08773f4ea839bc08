/**
 * Bugs that take a chain of three or four events, each in the right milliseconds: their storms have hunts that wait for what
 * happens in a quorum (faults.ts#Moment).
 */
import type { Plan } from '../plan.ts'
import { type Bug, edit } from './bug.ts'
import { alone, every, hits, patient, storm, three, withSettings } from './storms.ts'

/** One partition, which all write to. */
export const crowded = (plan: Plan): Plan => ({
  ...plan,
  topics: plan.topics.map((topic) => ({ ...topic, partitions: 1 })),
  clients: { ...plan.clients, rawProducers: 8, listers: 0, committers: 0, producers: 0 },
})

/**
 * The leader is cut off with what it has taken, and whoever comes after it before anybody has the start of its epoch; then the first
 * one leads again, and brings what it had to the third, a batch at a time.
 */
const figure8 = (plan: Plan): Plan => {
  const again = every(1100, (atMs) => ({
    kind: 'hunt',
    atMs,
    afterMs: 0,
    prey: 'isolate',
    forMs: 700,
    place: 0,
  }))
  const aimed = three(...hits('isolate', 1100, 420), ...again)(plan)
  return crowded(
    withSettings(aimed, {
      'lograft.append.bytes.max': '1',
      'lograft.appends.in.flight.max': '64',
      'lograft.peer.idle.timeout.ms': '5000',
    }),
  )
}

/** Leaders are asked to hand over, and do not hear that somebody has; disks are slow enough for that. */
const unheard = (plan: Plan): Plan => {
  const turns = [[1, 2, 3], [2, 3, 1], [3, 1, 2]] // biome-ignore format: one row
  const storming = three(
    ...every(800, (atMs) => ({ kind: 'reassign', atMs, place: 0, replicas: turns[(atMs / 800) % 3] ?? [] })),
    ...every(800, (atMs) => ({ kind: 'transfer', atMs: atMs + 100, place: 0 })),
    ...every(800, (atMs) => ({ kind: 'hunt', atMs, afterMs: 0, moment: 'stands', prey: 'predecessor', forMs: 500, place: 0 })), // biome-ignore format: one row
  )(plan)
  const clients = { ...crowded(storming).clients, rawProducers: 4, listers: 5, committers: 2 }
  return { ...patient(crowded(storming), 640), clients, syncMaxMs: 40 }
}

/** One place moves between brokers of which one stays, and at each change of voters this happens. */
const moved = (prey: 'divide' | 'isolate') =>
  storm(5, [
    ...every(500, (atMs) => ({ kind: 'reassign', atMs, place: 0, replicas: (atMs / 500) % 2 === 0 ? [1, 2, 3] : [1, 4, 5] })), // biome-ignore format: one row
    ...every(500, (atMs) => ({ kind: 'hunt', atMs, afterMs: 0, moment: 'reconfigures', prey, forMs: 400, place: 0 })), // biome-ignore format: one row
  ])

/** The leader and one other are cut off, and what that one says to it comes when it leads again. */
const stranded = (plan: Plan): Plan => {
  const aimed = storm(5, [
    { kind: 'reassign', atMs: 100, place: 0, replicas: [1, 2, 3, 4, 5] },
    ...hits('strand', 1100, 330),
    ...[380, 420, 460, 500].flatMap((afterMs) =>
      every(1100, (atMs) => ({ kind: 'transfer', atMs: atMs + afterMs, place: 0 })),
    ),
  ])(plan)
  return crowded(
    withSettings(aimed, {
      'lograft.appends.in.flight.max': '64',
      'lograft.peer.idle.timeout.ms': '5000',
    }),
  )
}

export const chainBugs: readonly Bug[] = [
  {
    name: 'a sync that began before a cut counts',
    seed: 0,
    aim: (plan) => crowded(three(...hits('stall', 700, 350))(plan)),
    edits: [
      edit('raft/extents', 'truncations !== this.#truncations ||', ''),
      edit('raft/extents', 'assert(position <= this.#end', 'assert(true'),
      // The log knows it, too.
      edit('log/durability', 'if (turn.position <= place.position)', 'if (true)'),
    ],
  },
  {
    name: 'what an earlier leader left is committed by counting',
    seed: 0,
    aim: figure8,
    edits: [edit('raft/leader', 'if (position > this.#epochStart)', 'if (true)')],
  },
  {
    name: 'a leader answers reads without asking whether it still leads',
    seed: 0,
    aim: unheard,
    edits: [edit('raft/heartbeats', 'if (this.#reached(Infinity, ({ answeredMs }) => answeredMs) < sentMs)', 'if (false)')], // biome-ignore format: one edit
  },
  {
    name: 'the next change of voters does not wait for the one before',
    seed: 0,
    aim: moved('divide'),
    edits: [edit('raft/leader', '!this.isReady || !this.#isCommitted(membership.position)', '!this.isReady')],
  },
  {
    name: 'voters that were cut stay in force',
    seed: 0,
    aim: moved('isolate'),
    edits: [edit('raft/membership', 'while (this.current.position >= position)', 'while (false)')],
  },
  {
    name: 'a coordinator answers before its decision is committed',
    seed: 0,
    aim: (plan) => {
      const aimed = three(...every(500, (atMs) => alone(((atMs / 500) % 3) + 1, atMs, 350)))(plan)
      return { ...aimed, clients: { ...aimed.clients, committers: 5 } }
    },
    edits: [
      edit(
        'replica/executor',
        'turn.bytes === 0 && this.#proposedEnd <= this.#replica.highWatermark',
        'true',
      ),
    ],
  },
  {
    name: 'a broker believes an earlier leader',
    seed: 0,
    aim: (plan) => {
      const aimed = storm(5, hits('isolate', 700, 450))(plan)
      const topics = aimed.topics.map((topic) => ({ ...topic, partitions: 1, replicas: 3 }))
      const clients = { ...aimed.clients, watchers: 4 }
      return withSettings({ ...aimed, topics, clients }, { 'lograft.peer.idle.timeout.ms': '5000' })
    },
    edits: [edit('broker/leaders', 'leader.epoch < (partitions[index]?.epoch ?? -1)', 'false')],
  },
  {
    name: 'a repeated batch is acknowledged before it is committed',
    seed: 2,
    aim: (plan) => crowded(three(...hits('isolate'))(plan)),
    edits: [edit('broker/partition', 'endOffset: verdict.lastOffset + 1', 'endOffset: 0')],
  },
  {
    name: 'an answer to an earlier leadership counts',
    seed: 0,
    aim: stranded,
    edits: [
      edit(
        'raft/raft',
        'if (message.epoch < this.epoch) {',
        "if (message.epoch < this.epoch && message.type !== 'appended' && message.type !== 'heartbeatReply') {",
      ),
    ],
  },
]
