/** The broker beside bare programs that do the least that its work demands, in one run, in turns: what of the machine it leaves unused. */

import { BrokerProcess } from '../broker-process.ts'
import { BareProgram, syncerSample } from '../limits/programs.ts'
import { LoadConnection } from '../load/connection.ts'
import { answerOf, consumeThroughput } from '../load/consume.ts'
import { produceThroughput } from '../load/produce.ts'
import { inTurns, medianOf, type Sample, sampleOf } from '../load/sample.ts'
import { flushes, makeTopic, payload } from '../load/topic.ts'
import { warmUp } from '../load/warm.ts'
import type { Row, Suite } from '../report.ts'

const recordBytes = 1024
const connections = 6
const inFlight = 5
const topic = 'load'
let topics = 0

export const limits: Suite = async ({ isQuick }) => {
  const rows: Row[] = []
  for (const flush of ['unsynced', 'synced'] as const) {
    for (const batchBytes of [65_536, 1_000_000]) rows.push(...(await producing(flush, batchBytes, isQuick)))
  }
  for (const fetchBytes of [65_536, 1_048_576]) rows.push(...(await consuming(fetchBytes, isQuick)))
  return rows
}

function amounts(isQuick: boolean): { rounds: number; bytes: number } {
  return isQuick ? { rounds: 1, bytes: 100e6 } : { rounds: 7, bytes: 400e6 }
}

async function producing(flush: keyof typeof flushes, batchBytes: number, isQuick: boolean): Promise<Row[]> {
  const { rounds, bytes } = amounts(isQuick)
  const broker = await BrokerProcess.start()
  await warmUp(broker, { isQuick })
  const copier = await BareProgram.start('copier', [flush])
  const control = await LoadConnection.open(broker.bootstrap)
  const one = payload(recordBytes, batchBytes)
  const load = {
    topic,
    partitions: connections,
    acks: -1,
    payload: one,
    connections,
    inFlight,
    bytes,
  } as const
  const seen = await inTurns<string, Pick<Sample, 'megabytesPerSecond' | 'cpuPerGigabyte'>>(rounds, {
    broker: async () => {
      const own = `load-${topics++}`
      await makeTopic(control, own, connections, { 'flush.messages': flushes[flush] })
      return await sampleOf([broker.pid], () =>
        produceThroughput({ ...load, topic: own, bootstrap: broker.bootstrap }),
      )
    },
    'socket to file with crc32c': () =>
      sampleOf([copier.pid], () => produceThroughput({ ...load, bootstrap: copier.bootstrap })),
    ...(flush === 'synced' && {
      'write and fdatasync alone': () =>
        syncerSample(copier.folder, one.batch.length, connections * inFlight, bytes),
    }),
  })
  control.close()
  await Promise.all([broker.stop(), copier.stop()])
  return rowsOf(`produce ${flush}, batches of ${batchBytes} B`, seen)
}

async function consuming(fetchBytes: number, isQuick: boolean): Promise<Row[]> {
  const { rounds, bytes } = amounts(isQuick)
  const broker = await BrokerProcess.start()
  await warmUp(broker, { isQuick })
  const control = await LoadConnection.open(broker.bootstrap)
  const partitions = 3
  await makeTopic(control, topic, partitions, { 'flush.messages': flushes.unsynced })
  const one = payload(recordBytes, 65_536)
  const load = { bootstrap: broker.bootstrap, topic, partitions, payload: one }
  await produceThroughput({ ...load, acks: -1, connections: partitions, inFlight, bytes: bytes / 2 })
  // Whole batches, as many as the broker answers with.
  const answerBytes = Math.max(1, Math.floor(fetchBytes / one.batch.length)) * one.batch.length
  const { headBytes } = answerOf(topic)
  const fileBytes = bytes / 2 / partitions
  const sender = await BareProgram.start('sender', [fileBytes, answerBytes, headBytes])
  const read = (bootstrap: string) => consumeThroughput({ ...load, bootstrap, fetchBytes, bytes: bytes * 3 })
  const seen = await inTurns(rounds, {
    broker: () => sampleOf([broker.pid], () => read(broker.bootstrap)),
    'file to socket': () => sampleOf([sender.pid], () => read(sender.bootstrap)),
  })
  control.close()
  await Promise.all([broker.stop(), sender.stop()])
  return rowsOf(`fetch ${fetchBytes} B`, seen)
}

function rowsOf(
  work: string,
  seen: Readonly<Record<string, readonly Pick<Sample, 'megabytesPerSecond' | 'cpuPerGigabyte'>[]>>,
): Row[] {
  const broker = seen.broker ?? []
  return Object.entries(seen).map(([who, samples]) => {
    const speeds = samples.map(({ megabytesPerSecond }) => Math.round(megabytesPerSecond))
    const speed = medianOf(samples, 'megabytesPerSecond')
    return {
      work,
      who,
      'MB/s': Math.round(speed),
      'least to most': `${Math.min(...speeds)}-${Math.max(...speeds)}`,
      'cpu s/GB': medianOf(samples, 'cpuPerGigabyte').toFixed(2),
      'broker to it': (medianOf(broker, 'megabytesPerSecond') / speed).toFixed(2),
      "its CPU to the broker's": (
        medianOf(samples, 'cpuPerGigabyte') / medianOf(broker, 'cpuPerGigabyte')
      ).toFixed(2),
    }
  })
}
