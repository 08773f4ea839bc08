/** Producers as applications have them: the client library, idempotent, with many records under way. */
import { Client } from '../../../client/client.ts'
import type { Transport } from '../../../client/transport.ts'
import { hostOf, port } from '../machine.ts'
import { keyOf, pick, type Stage, sleep } from '../stage.ts'

export function transportOf(stage: Stage, name: string): Transport {
  // Its faces are those of the world, but for the type of the fault that a close carries.
  const net = stage.netOf(name) as unknown as Transport['net']
  return { clock: stage.clock, net, random: stage.random.fork(name) }
}

export function clientOf(stage: Stage, name: string): Client {
  return new Client({
    bootstrap: stage.plan.brokers.map((nodeId) => `${hostOf(nodeId)}:${port}`),
    clientId: name,
    requestTimeoutMs: 2000,
    callTimeoutMs: 10_000,
    transport: transportOf(stage, name),
  })
}

export async function produce(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(`${name} choices`)
  const client = clientOf(stage, name)
  const codec = pick(stage.plan.clients.codecs, random)
  const producer = client.producer({
    compression: codec,
    lingerMs: random.below(2) * 5,
    batchBytesMax: pick([100, 1000, 100_000], random),
    deliveryTimeoutMs: 8000,
  })
  const waiting: Promise<void>[] = []
  while (!stage.isOver) {
    for (let left = 1 + random.below(6); left > 0; left--) waiting.push(send(stage, name, producer, random))
    await sleep(stage, random.below(100))
  }
  await Promise.all(waiting)
  await client.close({ timeoutMs: 1000 }).catch(() => {})
}

async function send(
  stage: Stage,
  process: string,
  producer: ReturnType<Client['producer']>,
  random: Stage['random'],
): Promise<void> {
  const place = pick(stage.places, random)
  const value = stage.nextValue()
  const begun = stage.recorder.begin(process)
  const fixed = { kind: 'send', key: keyOf(place), value, acks: -1, isOrdered: true } as const
  const beganMs = stage.clock.monotonic()
  const content = value.padEnd(value.length + random.below(200), '.')
  try {
    const { offset } = await producer.send({ ...place, value: content })
    begun.end('ok', { ...fixed, beganMs, offset: offset < 0 ? null : offset })
  } catch (error) {
    // One of several attempts may have been stored: nothing that fails here is known to have failed.
    stage.recorder.mark(`send ${(error as { code?: string }).code ?? String(error)}`)
    begun.end('info', { ...fixed, beganMs, offset: null })
  }
}
