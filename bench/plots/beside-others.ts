/** Plots of bench/results/peers.json: ratios to other brokers of the same run. */
import type { Row } from '../report.ts'
import { barsOf, readable } from './cells.ts'
import type { Plot } from './plot.ts'

type Plots = (rows: readonly Row[]) => Plot[]

const kafka = { value: 1, label: 'Apache Kafka' } as const

const throughput =
  (name: string, title: string): Plots =>
  (rows) => {
    const label = ({ work }: Row) => readable(String(work).replace('3 brokers, ', ''))
    const head = { kind: 'bars', series: ['ratio'], reference: kafka } as const
    return [
      {
        ...head,
        name: `kafka-${name}`,
        title: `${title} beside Apache Kafka`,
        unit: 'throughput to that of Kafka, same machine, same run',
        better: 'higher',
        rows: barsOf(rows, label, 'to kafka', 'at least'),
      },
      {
        ...head,
        name: `kafka-${name}-cpu`,
        title: `${title} beside Apache Kafka: CPU`,
        unit: "CPU seconds per GB to those of Kafka's broker",
        better: 'lower',
        rows: barsOf(rows, label, 'to kafka ', 'at most'),
      },
    ]
  }

const smaller =
  (name: string, title: string): Plots =>
  (rows) => [
    {
      kind: 'bars',
      name: `kafka-${name}`,
      title: `${title} beside Apache Kafka`,
      unit: 'to that of Kafka, same machine, same run',
      better: 'lower',
      series: ['ratio'],
      reference: kafka,
      rows: barsOf(
        rows,
        ({ what }) => readable(String(what).replace('end to end, ', '')),
        'to kafka',
        'at most',
      ),
    },
  ]

export const besideOthers: Readonly<Record<string, Plots>> = {
  produce: throughput('produce', 'Produce'),
  consume: throughput('consume', 'Fetch'),
  three: throughput('three', 'Three brokers'),
  latency: smaller('latency', 'Delay from end to end'),
  startup: smaller('startup', 'Start and memory'),
  nats: (rows) => [
    {
      kind: 'bars',
      name: 'nats',
      title: 'Messages of 128 B beside NATS JetStream',
      unit: 'records per second to the fastest run of NATS',
      better: 'higher',
      series: ['ratio'],
      reference: { value: 1, label: 'NATS JetStream' },
      rows: barsOf(rows, ({ work }) => String(work), 'to nats', 'at least'),
    },
  ],
}
