/** Writes off the event loop of which something is believed before they are done. */
import type { Plan } from '../plan.ts'
import { type Bug, edit } from './bug.ts'
import { crowded } from './chains.ts'
import { every, hits, hunts, three, withSettings } from './storms.ts'

/** All writes leave the event loop, and take their time. */
const away = (plan: Plan): Plan => ({
  ...withSettings(plan, { 'lograft.write.leave.bytes.min': '1' }),
  syncMaxMs: 30,
})

/** One broker that is killed again and again: what it has written stays. */
const killed = (plan: Plan): Plan => {
  const topics = plan.topics.map((topic) => ({ ...topic, replicas: 1, configs: {} }))
  const settings = { ...plan.settings, 'offsets.topic.replication.factor': '1' }
  const faults = every(300, (atMs) => ({ kind: 'kill', atMs, node: 1, downMs: 20 }))
  const clients = { ...plan.clients, rawProducers: 6, members: 0 }
  const alone = { ...plan, brokers: [1], voters: [1], core: [1], topics, settings, faults, clients }
  return { ...away(alone), durationMs: 3500, lastEnd: 'kill' }
}

export const awayBugs: readonly Bug[] = [
  {
    name: 'what is being written counts as written',
    seed: 0,
    aim: (plan) => away(three(...hunts('losePower'))(plan)),
    edits: [
      edit(
        'log/log-writer',
        'const held = this.#queue.first;',
        'const held = this.#writer.isAway ? undefined : this.#queue.first;',
      ),
    ],
  },
  {
    name: 'acks=1 is answered before it is written',
    seed: 0,
    aim: killed,
    edits: [edit('replica/acknowledgements', 'return this.#log.offsetAt(this.#log.writtenPosition);', 'return this.#log.end;')], // biome-ignore format: one edit
  },
  {
    name: 'a cut forgets what is being written',
    seed: 0,
    aim: (plan) => away(crowded(three(...hits('stall', 700, 350))(plan))),
    edits: [edit('log/append-queue', 'return this.#leaving?.run.batches ?? [];', 'return this.#leaving?.batches ?? [];')], // biome-ignore format: one edit
  },
  {
    name: 'memory is used again while the log still writes it',
    seed: 0,
    aim: away,
    edits: [
      edit('log/append-queue', 'this.#leaving = { run,', 'releaseAll(batches); this.#leaving = { run,'),
      edit('log/append-queue', 'releaseAll(leaving.batches);', ''),
    ],
  },
]
