/** Asynchronous publishing to a stream: messages made beforehand, a bound on those not yet acknowledged, acknowledgements counted. */
import type { Throughput } from '../load/produce.ts'
import { NatsConnection } from './nats-connection.ts'

export interface PublishLoad {
  readonly host: string
  readonly port: number
  readonly subject: string
  readonly connections: number
  /** Messages without acknowledgement, of all connections together. */
  readonly unacknowledged: number
  readonly messageBytes: number
  readonly messages: number
}

/**
 * Cheaper than any client can be (0.3 to 0.6 us a message): what an acknowledgement makes room for goes out in one write with all that
 * the same turn made room for.
 */
export async function publishThroughput(load: PublishLoad): Promise<Throughput> {
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => NatsConnection.open(load.host, load.port)),
  )
  const share = Math.ceil(load.messages / load.connections)
  const window = Math.floor(load.unacknowledged / load.connections)
  const begun = performance.now()
  await Promise.all(connections.map((connection) => publish(connection, load, window, share)))
  const seconds = (performance.now() - begun) / 1000
  for (const connection of connections) connection.close()
  const records = share * load.connections
  return { seconds, records, bytes: records * load.messageBytes }
}

async function publish(
  connection: NatsConnection,
  { subject, messageBytes }: PublishLoad,
  window: number,
  count: number,
): Promise<void> {
  const message = messageOf(subject, `${connection.inbox}.acknowledged`, messageBytes)
  const messages = Buffer.concat(Array.from({ length: window }, () => message))
  let [sent, acknowledged] = [0, 0]
  await new Promise<void>((resolve, reject) => {
    const next = () => {
      const room = Math.min(count - sent, window - (sent - acknowledged))
      if (room === 0) return
      sent += room
      connection.write(messages.subarray(0, room * message.length))
    }
    connection.onFault = reject
    connection.onAnswer = (chunk, from, to) => {
      // {"stream":... acknowledges, {"error":... refuses.
      if (chunk[from + 2] === 0x73) acknowledged++
      else reject(new Error(`NATS refuses a message: ${chunk.toString('utf8', from, to)}`))
    }
    connection.onTurn = () => {
      if (acknowledged === count) resolve()
      else next()
    }
    next()
  })
}

function messageOf(subject: string, reply: string, bytes: number): Buffer {
  const noise = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7919 + (i >> 3) * 104_729) & 0xff))
  return Buffer.concat([Buffer.from(`PUB ${subject} ${reply} ${bytes}\r\n`), noise, Buffer.from('\r\n')])
}
