/** A cluster that nothing happens to, first under load, then idle: nobody may be elected. */
import { produceLatency, produceThroughput } from '../../bench/load/produce.ts'
import { payload } from '../../bench/load/topic.ts'
import { Client } from '../../client/client.ts'
import { NemesisCluster } from './cluster.ts'
import { sleep } from './stage.ts'

export interface CalmOptions {
  /** Of each of the two phases. */
  readonly seconds: number
  readonly settings: Readonly<Record<string, string>>
  say(line: string): void
}

export interface CalmReport {
  /** What the cluster carries at the most, MB/s, and the load that it was given. */
  readonly fullMegabytes: number
  readonly loadMegabytes: number
  readonly p99Ms: number
  /** Changes of roles and epochs that the brokers told of. */
  readonly electionsUnderLoad: number
  readonly electionsWhenIdle: number
}

const topic = 'calm'
const partitions = 6
const share = 0.7
const batchBytes = 16_384

export async function calm({ seconds, settings, say }: CalmOptions): Promise<CalmReport> {
  const cluster = await NemesisCluster.start({ count: 3, settings })
  try {
    const led = await leadersOf(cluster)
    const batch = payload(1024, batchBytes)
    const base = { topic, partitions, acks: -1, payload: batch } as const
    const bytes = 10e6
    await throughput(led, base, bytes)
    const begun = performance.now()
    await throughput(led, base, bytes * 4)
    const fullMegabytes = (bytes * 4) / 1e3 / (performance.now() - begun)
    const loadMegabytes = fullMegabytes * share
    say(`it carries ${fullMegabytes.toFixed(1)} MB/s; ${seconds} s at ${loadMegabytes.toFixed(1)} MB/s`)
    const before = elections(cluster)
    const perSecond = (loadMegabytes * 1e6) / batch.batch.length
    const parts = await Promise.all(
      [...led].map(([bootstrap, indexes]) => {
        const own = (perSecond * indexes.length) / partitions
        const pace = { intervalMs: 1000 / own, count: Math.ceil(own * seconds) }
        return produceLatency({ ...base, bootstrap, indexes, connections: indexes.length, ...pace })
      }),
    )
    const underLoad = elections(cluster)
    say(`under load: ${underLoad - before} elections; ${seconds} s idle`)
    await sleep(seconds * 1000)
    const whenIdle = elections(cluster)
    say(`idle: ${whenIdle - underLoad} elections`)
    return {
      fullMegabytes,
      loadMegabytes,
      p99Ms: Math.max(...parts.map((part) => part.percentile(99) / 1e6)),
      electionsUnderLoad: underLoad - before,
      electionsWhenIdle: whenIdle - underLoad,
    }
  } finally {
    await cluster.close()
  }
}

function elections({ nodes }: NemesisCluster): number {
  return nodes.reduce((sum, node) => sum + node.countOf('replica.role'), 0)
}

/** Partitions by the address of their leader. */
async function leadersOf(cluster: NemesisCluster): Promise<Map<string, number[]>> {
  await using client = new Client({ bootstrap: cluster.bootstrap })
  const admin = client.admin()
  await admin.createTopics([{ name: topic, partitions, replicationFactor: 3 }])
  const [found] = await admin.describeTopics([topic])
  const led = new Map<string, number[]>()
  for (const { index, leader } of found?.partitions ?? []) {
    const { bootstrap } = cluster.node(leader)
    led.set(bootstrap, [...(led.get(bootstrap) ?? []), index])
  }
  return led
}

type Base = Pick<Parameters<typeof produceThroughput>[0], 'topic' | 'partitions' | 'acks' | 'payload'>

async function throughput(
  led: ReadonlyMap<string, readonly number[]>,
  base: Base,
  bytes: number,
): Promise<void> {
  await Promise.all(
    [...led].map(([bootstrap, indexes]) => {
      const own = { bootstrap, indexes, connections: indexes.length, inFlight: 3 }
      return produceThroughput({ ...base, ...own, bytes: (bytes * indexes.length) / partitions })
    }),
  )
}
