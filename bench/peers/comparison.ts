/** Rows that put two samples beside each other, and what the ratio is to be. */
import { medianOf, type Sample } from '../load/sample.ts'
import type { Row } from '../report.ts'
import type { Peer } from './peer.ts'

export type Both<S> = Readonly<Record<Peer['name'], readonly S[]>>

/** Ours to theirs: throughput at least, CPU seconds for the same bytes at most. */
export interface Aims {
  readonly speed: number
  readonly cpu: number
}

export function throughputRow(work: string, { lograft, kafka }: Both<Sample>, aims: Aims): Row {
  const speeds = [medianOf(lograft, 'megabytesPerSecond'), medianOf(kafka, 'megabytesPerSecond')] as const
  const cpus = [medianOf(lograft, 'cpuPerGigabyte'), medianOf(kafka, 'cpuPerGigabyte')] as const
  const range = (samples: readonly Sample[]) => {
    const all = samples.map(({ megabytesPerSecond }) => Math.round(megabytesPerSecond))
    return `${Math.min(...all)}-${Math.max(...all)}`
  }
  return {
    work,
    'lograft MB/s': Math.round(speeds[0]),
    'from to': range(lograft),
    'records/s': Math.round(medianOf(lograft, 'recordsPerSecond')),
    'kafka MB/s': Math.round(speeds[1]),
    'from to ': range(kafka),
    'records/s ': Math.round(medianOf(kafka, 'recordsPerSecond')),
    'to kafka': (speeds[0] / speeds[1]).toFixed(2),
    'at least': aims.speed,
    'lograft cpu s/GB': cpus[0].toFixed(2),
    'kafka cpu s/GB': cpus[1].toFixed(2),
    'to kafka ': (cpus[0] / cpus[1]).toFixed(2),
    'at most': aims.cpu,
  }
}

/** Of figures that are better when they are smaller. */
export function smallerRow<Key extends string>(
  work: string,
  { lograft, kafka }: Both<Readonly<Record<Key, number>>>,
  key: Key,
  unit: string,
  atMost: number,
): Row {
  const [ours, theirs] = [medianOf(lograft, key), medianOf(kafka, key)]
  const shown = (figure: number) => (figure < 20 ? figure.toFixed(2) : String(Math.round(figure)))
  return {
    what: work,
    unit,
    lograft: shown(ours),
    kafka: shown(theirs),
    'to kafka': (ours / theirs).toFixed(2),
    'at most': atMost,
  }
}
