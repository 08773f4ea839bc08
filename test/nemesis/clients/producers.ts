/** Producers as applications have them: the client library, idempotent, with its default retries and many records under way. */
import { Client } from '../../../client/client.ts'
import { keyOf, pick, type Stage, sleep } from '../stage.ts'

export interface Pace {
  readonly perSecond: number
}

const burstMs = 10

export async function produce(stage: Stage, name: string, { perSecond }: Pace): Promise<void> {
  const client = new Client({ bootstrap: stage.cluster.bootstrap, clientId: name })
  const producer = client.producer({ lingerMs: 2 })
  const waiting = new Set<Promise<void>>()
  let due = 0
  while (!stage.isOver) {
    for (due += (perSecond * burstMs) / 1000; due >= 1; due--) {
      // Bounded: a cluster that is away is not buried under what waits for it.
      if (waiting.size > perSecond * 5) continue
      const sent = send(stage, name, producer).finally(() => waiting.delete(sent))
      waiting.add(sent)
    }
    await sleep(burstMs)
  }
  await Promise.all(waiting)
  await client.close({ timeoutMs: 1000 }).catch(() => {})
}

async function send(stage: Stage, process: string, producer: ReturnType<Client['producer']>): Promise<void> {
  const { recording } = stage
  const place = pick(stage.places)
  const value = stage.nextValue()
  const end = recording.begin(process)
  const fixed = { kind: 'send', key: keyOf(place), value, acks: -1, isOrdered: true, beganMs: 0 } as const
  try {
    const { offset } = await producer.send({ ...place, value })
    end('ok', { ...fixed, offset: offset < 0 ? null : offset })
  } catch (error) {
    // One of several attempts may have been stored: nothing that fails here is known to have failed.
    end('info', { ...fixed, offset: null })
    recording.surface(process, String((error as { code?: string }).code ?? error))
  }
}
