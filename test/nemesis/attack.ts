/** One attack: a cluster, its load, faults one after the other, and the verdict. */
import { NemesisCluster } from './cluster.ts'
import { Downtime, summary } from './downtime.ts'
import { type Fault, faults, type Scene } from './faults.ts'
import { Leaders } from './leaders.ts'
import { defaultLoad, Load } from './load.ts'
import { Recording } from './recording.ts'
import { keyOf, pick, sleep, until } from './stage.ts'
import { transfers } from './transfers.ts'
import { judge } from './verdict.ts'

export interface AttackOptions {
  /** What chance may pick from. */
  readonly faults: readonly string[]
  /** Instead of chance and minutes: just these, in this order. */
  readonly rounds: readonly string[] | null
  readonly minutes: number
  /** Instead of faults: leadership that moves so many times. */
  readonly transfers: number
  readonly lastsMs: number
  readonly brokers: number
  readonly keepData: boolean
  readonly settings: Readonly<Record<string, string>>
  say(line: string): void
}

export interface Report {
  readonly isSound: boolean
  readonly seconds: number
  /** How often each. */
  readonly faults: Readonly<Record<string, number>>
  /** In the log in the end. */
  readonly records: number
  readonly acked: number
  readonly read: number
  readonly anomalies: readonly string[]
  readonly violations: readonly string[]
  /** Errors that reached applications, by name. */
  readonly surfaced: Readonly<Record<string, number>>
  /** From the loss of a leader by kill -9 to the next acknowledged record, ms. */
  readonly downtimesMs: readonly number[]
  /** Around each transfer of leadership, the longest time without an acknowledgement, ms. */
  readonly transfersMs: readonly number[]
  /** Lines of the brokers' logs, by event. */
  readonly events: Readonly<Record<string, number>>
}

/** A fault that comes before the last one is over would hurt a majority. */
const recoversWithinMs = 60_000
const calmMs = 500
const shownMax = 20

export async function attack(options: AttackOptions): Promise<Report> {
  const { say, keepData, settings } = options
  const isFilled = (options.rounds ?? options.faults).includes('disk-full')
  const smallDisk = isFilled ? { smallDisk: { node: 2, mebibytes: 256 } } : {}
  const cluster = await NemesisCluster.start({ count: options.brokers, settings, ...smallDisk })
  try {
    return await attackOn(cluster, options)
  } finally {
    if (keepData) say(`data is kept in ${cluster.folder}`)
    await cluster.close({ keepData })
  }
}

async function attackOn(cluster: NemesisCluster, options: AttackOptions): Promise<Report> {
  const recording = new Recording()
  const load = await Load.start(cluster, recording)
  const begun = performance.now()
  const say = (line: string): void =>
    options.say(`${((performance.now() - begun) / 1000).toFixed(1)} s  ${line}`)
  const downtime = new Downtime(recording)
  const leaders = new Leaders(cluster, defaultLoad.topic)
  const scene = await sceneOf(cluster, leaders, load, downtime, { ...options, say })
  const done: Record<string, number> = {}
  let transfersMs: number[] = []
  try {
    if (options.transfers > 0) {
      await progress(recording)
      transfersMs = await transfers(cluster, recording, load, leaders, options.transfers)
    }
    for (const name of names(options, begun)) {
      await progress(recording)
      await leaders.look()
      recording.disrupt()
      done[name] = (done[name] ?? 0) + 1
      const lastsMs =
        options.rounds === null ? options.lastsMs * (0.25 + Math.random() * 2.5) : options.lastsMs
      if (name === 'nothing') await sleep(lastsMs)
      else await (faults[name] as Fault)({ ...scene, lastsMs })
      await until(
        'the partitions of a lost leader acknowledge again',
        recoversWithinMs,
        () => downtime.isOver,
      )
      recording.disrupt()
    }
  } catch (error) {
    recording.violate(error instanceof Error ? error.message : String(error))
  }
  for (const failure of await cluster.heal()) recording.violate(failure)
  leaders.close()
  say('the faults are over')
  const { anomalies, violations, records } = await judge(load)
  const surfaced = countBy(recording.surfaced.map(({ process, error }) => `${process}: ${error}`))
  for (const line of [
    ...violations,
    ...anomalies.map(({ kind, key, detail }) => `${kind} ${key}: ${detail}`),
  ].slice(0, shownMax))
    say(line)
  for (const [what, count] of Object.entries(surfaced)) say(`surfaced ${count} times: ${what}`)
  if (options.transfers > 0)
    say(`transfer of leadership, without an acknowledgement: ${summary(transfersMs)}`)
  say(`kill of a leader to the next acknowledged record: ${summary(downtime.samplesMs)}`)
  return {
    isSound: anomalies.length === 0 && violations.length === 0,
    seconds: (performance.now() - begun) / 1000,
    faults: done,
    records,
    acked: recording.counts.acked,
    read: recording.counts.read,
    anomalies: anomalies.map(({ kind, key, detail }) => `${kind} ${key}: ${detail}`),
    violations,
    surfaced,
    downtimesMs: downtime.samplesMs,
    transfersMs,
    events: eventsOf(cluster),
  }
}

/** A quarter of the time nothing happens: a cluster that is down all the time shows nothing. */
function* names({ rounds, faults, minutes }: AttackOptions, begun: number): Generator<string> {
  if (rounds !== null) yield* rounds
  else
    while (performance.now() - begun < minutes * 60_000) yield Math.random() < 0.25 ? 'nothing' : pick(faults)
}

async function sceneOf(
  cluster: NemesisCluster,
  leaders: Leaders,
  { stage }: Load,
  downtime: Downtime,
  { lastsMs, say }: AttackOptions,
): Promise<Scene> {
  const client = cluster.client('nemesis-topic')
  const { topicId } = await client.topic(defaultLoad.topic)
  const lost = (node: number): void =>
    downtime.begin(
      leaders
        .ledBy(node)
        .flatMap((index) => stage.places[index] ?? [])
        .map(keyOf),
    )
  return { cluster, leaders, topicId, lastsMs, say, lost }
}

/** Faults meet a cluster that works: everything is acknowledged again, and a while more. */
async function progress({ counts }: Recording): Promise<void> {
  const goal = counts.acked + 100
  await until('records are acknowledged', recoversWithinMs, () => counts.acked >= goal)
  await sleep(calmMs)
}

function countBy(items: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1
  return counts
}

function eventsOf({ nodes }: NemesisCluster): Record<string, number> {
  const events: Record<string, number> = {}
  for (const node of nodes)
    for (const [event, count] of node.counts) events[event] = (events[event] ?? 0) + count
  return events
}
