/**
 * Manners under load: how late the broker's event loop is at full load, and what a patient client notices of greedy ones. A loop is
 * late for what the machine does to it, too: `CPU` says how busy the broker was, an idle one beside it how late the machine alone makes it.
 */

import { ApiVersions } from '../../src/protocol/apis/api-versions.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { BrokerProcess } from '../broker-process.ts'
import { frameOf, LoadConnection } from '../load/connection.ts'
import { fetchFrame } from '../load/consume.ts'
import { Flood, patience } from '../load/flood.ts'
import { produceFrame, produceThroughput } from '../load/produce.ts'
import { dropTopic, flushes, makeTopic, payload } from '../load/topic.ts'
import type { Row, Suite } from '../report.ts'
import { cpuSecondsOf } from '../usage.ts'

const partitions = 6
const topic = 'load'
/** One line a window would disturb what it tells of. */
const settings = { 'lograft.loop.stall.warn.ms': '0' }

interface Work {
  readonly frames: readonly Buffer[]
  readonly connections: number
  readonly inFlight: number
}

const produced = (batchBytes: number, acks: 1 | -1 = -1): Buffer[] =>
  Array.from({ length: partitions }, (_, index) =>
    produceFrame({ topic, acks, payload: payload(1024, batchBytes) }, index),
  )
const fetched = (fetchBytes: number): Buffer[] =>
  Array.from({ length: partitions }, (_, partition) =>
    fetchFrame({ topic, partition, offset: 0, fetchBytes, maxWaitMs: 0 }),
  )
const versions = frameOf(ApiVersions, 2, {})
const metadata = frameOf(Metadata, 9, { topics: null })

const loads: Readonly<Record<string, Work & { readonly flush?: 'synced' }>> = {
  nothing: { frames: [], connections: 1, inFlight: 0 },
  'produce 64 KiB': { frames: produced(65_536), connections: 6, inFlight: 5 },
  'produce 64 KiB, synced': { frames: produced(65_536), connections: 6, inFlight: 5, flush: 'synced' },
  'produce 1 MB': { frames: produced(1_000_000), connections: 6, inFlight: 5 },
  'produce 1 MB, synced': { frames: produced(1_000_000), connections: 6, inFlight: 5, flush: 'synced' },
  'produce 64 KiB, 100 connections': { frames: produced(65_536), connections: 100, inFlight: 5 },
  'produce 1 MB, 100 connections': { frames: produced(1_000_000), connections: 100, inFlight: 5 },
  'produce 1 KiB, acks=1, 100 connections': { frames: produced(1100, 1), connections: 100, inFlight: 10 },
  'fetch 1 MiB': { frames: fetched(1_048_576), connections: 6, inFlight: 1 },
  'fetch 1 MiB, 100 connections': { frames: fetched(1_048_576), connections: 100, inFlight: 5 },
  'fetch 50 MiB, 5 connections': { frames: fetched(52_428_800), connections: 5, inFlight: 5 },
  'ApiVersions, 100 connections': { frames: [versions], connections: 100, inFlight: 50 },
  'Metadata, 100 connections': { frames: [metadata], connections: 100, inFlight: 50 },
}

const greedy: Readonly<Record<string, Work>> = {
  nobody: { frames: [], connections: 1, inFlight: 0 },
  '5 with produce 1 MB': { frames: produced(1_000_000), connections: 5, inFlight: 64 },
  '5 with produce 64 KiB': { frames: produced(65_536), connections: 5, inFlight: 64 },
  '5 with produce 1 KiB': { frames: produced(1100, 1), connections: 5, inFlight: 1000 },
  '5 with fetch 8 MiB': { frames: fetched(8_388_608), connections: 5, inFlight: 64 },
  '5 with ApiVersions': { frames: [versions], connections: 5, inFlight: 10_000 },
}

export const stalls: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  for (const [name, { flush, ...work }] of Object.entries(loads)) {
    rows.push(
      await late(name, flush ?? 'unsynced', async ({ bootstrap }) => {
        const flood = await Flood.begin({ bootstrap, ...work })
        await seconds(isQuick ? 3 : 10)
        flood.stop()
      }),
    )
  }
  for (const [name, act] of Object.entries(events)) {
    rows.push(await late(name, 'unsynced', (broker, control) => act(broker, control, isQuick ? 500e6 : 2e9)))
  }
  return rows
}

/** What happens beside the load, every so often. */
const events: Readonly<
  Record<string, (broker: BrokerProcess, control: LoadConnection, bytes: number) => Promise<void>>
> = {
  'a large topic goes, beside produce 64 KiB': async ({ bootstrap }, control, bytes) => {
    await makeTopic(control, 'large', 100, {
      'flush.messages': flushes.unsynced,
      'segment.bytes': '67108864',
    })
    const one = payload(1024, 1_000_000)
    const load = { bootstrap, topic: 'large', partitions: 100, acks: -1, payload: one } as const
    await produceThroughput({ ...load, connections: 4, inFlight: 5, bytes })
    const flood = await Flood.begin({ bootstrap, ...(loads['produce 64 KiB'] as Work) })
    await seconds(1)
    await dropTopic(control, 'large')
    await seconds(3)
    flood.stop()
  },
  'segments of 16 MiB roll, produce 1 MB': async ({ bootstrap }, control, bytes) => {
    await makeTopic(control, 'rolls', 6, { 'flush.messages': flushes.unsynced, 'segment.bytes': '16777216' })
    const load = {
      bootstrap,
      topic: 'rolls',
      partitions: 6,
      acks: -1,
      payload: payload(1024, 1_000_000),
    } as const
    await produceThroughput({ ...load, connections: 6, inFlight: 5, bytes })
  },
  '2,000 partitions are made and listed, beside produce 64 KiB': async ({ bootstrap }, control) => {
    const flood = await Flood.begin({ bootstrap, ...(loads['produce 64 KiB'] as Work) })
    await makeTopic(control, 'many', 2000, {})
    const lister = await Flood.begin({ bootstrap, frames: [metadata], connections: 5, inFlight: 5 })
    await seconds(3)
    lister.stop()
    await dropTopic(control, 'many')
    await seconds(2)
    flood.stop()
  },
}

/** A broker of its own for each: what is read is its whole life. */
async function late(
  name: string,
  flush: keyof typeof flushes,
  act: (broker: BrokerProcess, control: LoadConnection) => Promise<void>,
): Promise<Row> {
  const { broker, control } = await begin(flush)
  const cpu = cpuSecondsOf([broker.pid])
  const begun = performance.now()
  await act(broker, control)
  const stalls = await broker.stalls()
  const { requestBytes, outboundBytes } = await broker.figures()
  const elapsed = (performance.now() - begun) / 1000
  const busy = (cpuSecondsOf([broker.pid]) - cpu) / elapsed
  control.close()
  await broker.stop()
  return {
    load: name,
    'late p99 ms': stalls.p99,
    'max ms': stalls.max,
    'its own ms': stalls.own,
    CPU: busy.toFixed(2),
    'requests, answers MB': `${Math.round(requestBytes / 1e6)}, ${Math.round(outboundBytes / 1e6)}`,
  }
}

export const fairness: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  const probes = { ApiVersions: versions, 'produce 1 KiB, acks=1': produced(1100, 1)[0] ?? versions }
  for (const [name, work] of Object.entries(greedy)) {
    const { broker, control } = await begin('unsynced')
    const { bootstrap } = broker
    const flood = await Flood.begin({ bootstrap, ...work })
    await seconds(1)
    for (const [probe, frame] of Object.entries(probes)) {
      const begun = performance.now()
      const { answered } = flood
      const { p50, p99, max } = await patience({ bootstrap, frame, everyMs: 5, seconds: isQuick ? 3 : 8 })
      const rate = (flood.answered - answered) / ((performance.now() - begun) / 1000)
      rows.push({
        greedy: name,
        'their answers/s': Math.round(rate),
        patient: probe,
        'p50 ms': p50.toFixed(2),
        'p99 ms': p99.toFixed(1),
        'max ms': max.toFixed(0),
      })
    }
    flood.stop()
    control.close()
    await broker.stop()
  }
  return rows
}

/** A broker with a topic that has something to read. */
async function begin(
  flush: keyof typeof flushes,
): Promise<{ broker: BrokerProcess; control: LoadConnection }> {
  const broker = await BrokerProcess.start(settings)
  const { bootstrap } = broker
  const control = await LoadConnection.open(bootstrap)
  await makeTopic(control, topic, partitions, { 'flush.messages': flushes[flush] })
  const load = { bootstrap, topic, partitions, acks: -1, payload: payload(1024, 65_536) } as const
  await produceThroughput({ ...load, connections: 6, inFlight: 5, bytes: 300e6 })
  return { broker, control }
}

async function seconds(count: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, count * 1000))
}
