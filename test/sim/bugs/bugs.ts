/** All bugs to plant, and how a seed is aimed at one. */
import type { Plan } from '../plan.ts'
import { awayBugs } from './away.ts'
import type { Bug } from './bug.ts'
import { clusterBugs } from './cluster.ts'
import { memoryBugs } from './memory.ts'
import { oneBrokerBugs } from './one-broker.ts'

/** Each is caught within a few seeds. */
export const bugs: readonly Bug[] = [...oneBrokerBugs.map(alone), ...clusterBugs, ...memoryBugs, ...awayBugs]

/** The plan of a seed, aimed at a bug. */
export function aimed({ faults, aim }: Bug, plan: Plan): Plan {
  // What is read from memory does not show what is wrong on disk.
  const fromDisk = { ...plan, settings: { ...plan.settings, 'lograft.tail.bytes.max': '0' } }
  const withFaults = faults === undefined ? fromDisk : { ...busy(fromDisk), faults }
  return aim === undefined ? withFaults : aim(withFaults)
}

/** A broker by itself, which must not be asked for more than it can hold. */
function alone(bug: Bug): Bug {
  const aim = (plan: Plan): Plan => {
    const topics = plan.topics.map((topic) => {
      const configs = {
        ...topic.configs,
        ...(bug.name.includes('decision') && { 'retention.bytes': '3000' }),
      }
      return { ...topic, replicas: 1, configs: { ...configs, 'min.insync.replicas': '1' } }
    })
    const settings = { ...plan.settings, 'offsets.topic.replication.factor': '1' }
    const one = {
      ...plan,
      brokers: [1],
      voters: [1],
      core: [1],
      topics,
      settings,
      faults: onFirst(plan.faults),
    }
    return bug.aim === undefined ? one : bug.aim(one)
  }
  return { ...bug, aim }
}

/** All that happens to a broker happens to the first. */
function onFirst(faults: Plan['faults']): Plan['faults'] {
  const few = new Set(['cut', 'swizzle', 'hunt', 'wipe', 'reassign', 'transfer'])
  return faults
    .filter(({ kind }) => !few.has(kind))
    .map((fault) => ('node' in fault ? { ...fault, node: 1 } : fault))
}

/** Segments that roll often, and clients enough to be in the middle of something at any time. */
function busy(plan: Plan): Plan {
  const calm = { 'segment.bytes': '2048', 'index.interval.bytes': '0' }
  const topics = plan.topics.map((topic) => ({ ...topic, configs: calm }))
  const clients = { ...plan.clients, rawProducers: 4, readers: 4, listers: 2 }
  return { ...plan, topics, clients, durationMs: 3500, syncMaxMs: 30, lastEnd: 'losePower' }
}
