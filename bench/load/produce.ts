/** Produce load: batches made once are sent over and over. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { frameOf, LoadConnection } from './connection.ts'
import { atRate, type Rate } from './rate.ts'
import type { Payload } from './topic.ts'

const version = 7
/** Where the answer for one partition of a topic holds its error. */
export const produceErrorAt = (topic: string) => 4 + 4 + 2 + topic.length + 4 + 4

export interface ProduceLoad {
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  /** Only these of them. */
  readonly indexes?: readonly number[]
  readonly acks: 0 | 1 | -1
  readonly payload: Payload
  readonly connections: number
}

export interface Throughput {
  readonly seconds: number
  readonly bytes: number
  readonly records: number
}

/** A request with one batch for one partition. */
export function produceFrame(load: Pick<ProduceLoad, 'topic' | 'acks' | 'payload'>, index: number): Buffer {
  return frameOf(Produce, version, {
    acks: load.acks,
    timeoutMs: 30_000,
    topicData: [{ name: load.topic, partitionData: [{ index, records: [load.payload.batch] }] }],
  })
}

function framesOf(load: ProduceLoad): Buffer[] {
  const indexes = load.indexes ?? Array.from({ length: load.partitions }, (_, index) => index)
  return indexes.map((index) => produceFrame(load, index))
}

async function connectionsOf(load: { bootstrap: string; connections: number }): Promise<LoadConnection[]> {
  return await Promise.all(
    Array.from({ length: load.connections }, () => LoadConnection.open(load.bootstrap)),
  )
}

/** Closed loop: each connection keeps `inFlight` requests under way until `bytes` have been acknowledged. */
export async function produceThroughput(
  load: ProduceLoad & { readonly inFlight: number; readonly bytes: number },
): Promise<Throughput> {
  const frames = framesOf(load)
  const errorAt = produceErrorAt(load.topic)
  const connections = await connectionsOf(load)
  const total = Math.ceil(load.bytes / load.payload.batch.length)
  let sent = 0
  let answered = 0
  const begun = performance.now()
  await new Promise<void>((resolve, reject) => {
    for (const connection of connections) {
      connection.onFault = reject
      const next = () => {
        if (sent >= total) return
        const frame = frames[sent % frames.length]
        sent++
        if (frame !== undefined) connection.send(frame, onAnswer)
      }
      const onAnswer = (head: Buffer) => {
        const error = head.readInt16BE(errorAt)
        if (error !== 0) reject(new Error(`produce was answered with error ${error}`))
        answered++
        if (answered === total) resolve()
        else next()
      }
      for (let i = 0; i < load.inFlight; i++) next()
    }
  })
  const seconds = (performance.now() - begun) / 1000
  for (const connection of connections) connection.close()
  return { seconds, bytes: total * load.payload.batch.length, records: total * load.payload.records }
}

/**
 * Open loop: one batch every `intervalMs`, whether the one before was answered or not. A latency counts from the moment when its
 * batch was due, not when it was sent: a stall delays everything behind it, and that shows (coordinated omission). `onDue` hears of
 * the nth batch when it is sent.
 */
export async function produceLatency(
  load: ProduceLoad & Rate,
  onDue: (n: number, dueMs: number) => void = () => {},
): Promise<RecordableHistogram> {
  const histogram = createHistogram()
  const frames = framesOf(load)
  const errorAt = produceErrorAt(load.topic)
  const connections = await connectionsOf(load)
  let answered = 0
  await new Promise<void>((resolve, reject) => {
    for (const connection of connections) connection.onFault = reject
    atRate(load, (n, due) => {
      const frame = frames[n % frames.length]
      const connection = connections[n % connections.length]
      onDue(n, due)
      if (frame === undefined || connection === undefined) return
      connection.send(frame, (head) => {
        const error = head.readInt16BE(errorAt)
        if (error !== 0) reject(new Error(`produce was answered with error ${error}`))
        histogram.record(Math.max(1, Math.round((performance.now() - due) * 1e6)))
        answered++
        if (answered === load.count) resolve()
      })
    })
  })
  for (const connection of connections) connection.close()
  return histogram
}
