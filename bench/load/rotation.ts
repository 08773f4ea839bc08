/** Load that goes round: over all partitions, over all connections, with as much under way whatever their number. */
import { LoadConnection } from './connection.ts'
import { produceErrorAt, produceFrame } from './produce.ts'
import type { Payload } from './topic.ts'

export interface Rotation {
  readonly connections: readonly LoadConnection[]
  readonly frames: readonly Buffer[]
  /** Where an answer holds its error. */
  readonly errorAt: number
  /** Requests under way, over all connections. */
  readonly inFlight: number
  /** Requests in all. */
  readonly count: number
}

/** What goes round, and the bytes of the batch in each of it. */
export interface RotatingFrames extends Pick<Rotation, 'frames' | 'errorAt'> {
  readonly batchBytes: number
}

/** Produce requests with one batch each, one for each partition of each topic. The names of the topics are equally long. */
export function rotatingFrames(
  topics: readonly string[],
  partitions: number,
  payload: Payload,
): RotatingFrames {
  const frames = topics.flatMap((topic) =>
    Array.from({ length: partitions }, (_, index) => produceFrame({ topic, acks: -1, payload }, index)),
  )
  return { frames, errorAt: produceErrorAt(topics[0] ?? ''), batchBytes: payload.batch.length }
}

/** Connections at once, a few hundred at a time: a listener has room for so many that it has not accepted yet. */
export async function openConnections(bootstrap: string, count: number): Promise<LoadConnection[]> {
  const connections: LoadConnection[] = []
  while (connections.length < count) {
    const next = Math.min(200, count - connections.length)
    const opened = await Promise.all(Array.from({ length: next }, () => LoadConnection.open(bootstrap)))
    connections.push(...opened)
  }
  return connections
}

/** The nth request goes over the nth connection, and from the last on to the first again. Resolves with the seconds it took. */
export async function rotate(load: Rotation): Promise<number> {
  const { connections, frames } = load
  let sent = 0
  let answered = 0
  const begun = performance.now()
  await new Promise<void>((resolve, reject) => {
    const next = () => {
      const frame = frames[sent % frames.length]
      const connection = connections[sent % connections.length]
      if (sent === load.count || frame === undefined || connection === undefined) return
      sent++
      connection.send(frame, onAnswer)
    }
    const onAnswer = (head: Buffer) => {
      const error = head.readInt16BE(load.errorAt)
      if (error !== 0) reject(new Error(`a request was answered with error ${error}`))
      if (++answered === load.count) resolve()
      else next()
    }
    for (const connection of connections) connection.onFault = reject
    for (let i = 0; i < load.inFlight; i++) next()
  })
  return (performance.now() - begun) / 1000
}
