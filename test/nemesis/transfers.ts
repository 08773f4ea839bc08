/** Leadership that moves on purpose, under load: how long a partition acknowledges nothing meanwhile. */
import { Client } from '../../client/client.ts'
import { produceRaw } from './clients/raw-producers.ts'
import type { NemesisCluster } from './cluster.ts'
import type { Leaders } from './leaders.ts'
import type { Load } from './load.ts'
import type { Recording } from './recording.ts'
import { keyOf, type Place, sleep, until } from './stage.ts'

/** Looked at from before the transfer is asked for until so long after it is done. */
const watchedMs = 500
const moveWithinMs = 10_000

/** Resolves with the longest time without an acknowledgement around each transfer, ms. */
export async function transfers(
  cluster: NemesisCluster,
  recording: Recording,
  load: Load,
  leaders: Leaders,
  count: number,
): Promise<number[]> {
  const [place] = load.stage.places
  if (place === undefined) throw new Error('there is a partition')
  const gaps = new Gaps(recording, keyOf(place))
  // Often enough to see a gap, and with retries of our own: a client's back-off is not what is measured.
  for (const n of [1, 2]) load.add(produceRaw(load.stage, `probe-${n}`, { acks: -1, pauseMs: 1, place }))
  const client = new Client({ bootstrap: cluster.bootstrap })
  const samples: number[] = []
  try {
    for (let n = 0; n < count; n++) {
      const [topic] = await client.admin().describeTopics([place.topic])
      const { leader: from = -1, replicas = [] } = topic?.partitions[place.partition] ?? {}
      const to = (from % cluster.nodes.length) + 1
      await keepsUp(client, place, to)
      gaps.begin()
      await client.admin().transferLeadership([{ ...place, from, to, replicas }])
      await until(
        'the leader has moved',
        moveWithinMs,
        async () => (await leaders.look()).of[place.partition] === to,
      )
      await sleep(watchedMs)
      samples.push(gaps.longestMs())
    }
  } finally {
    await client.close()
  }
  return samples
}

/** Nobody is handed the leadership who lags. */
async function keepsUp(client: Client, { topic, partition }: Place, to: number): Promise<void> {
  await until(`replica ${to} keeps up`, moveWithinMs, async () => {
    const [found] = await client.admin().describeTopics([topic])
    return found?.partitions[partition]?.inSync.includes(to) === true
  })
}

/** Between acknowledgements of one partition. */
class Gaps {
  #lastNs: number
  #longestNs = 0
  readonly #now: () => number

  constructor(recording: Recording, wanted: string) {
    this.#now = () => recording.now()
    this.#lastNs = this.#now()
    recording.onAcked.push((key, _began, endedNs) => {
      if (key !== wanted) return
      this.#longestNs = Math.max(this.#longestNs, endedNs - this.#lastNs)
      this.#lastNs = Math.max(this.#lastNs, endedNs)
    })
  }

  begin(): void {
    this.#longestNs = 0
  }

  longestMs(): number {
    return Math.max(this.#longestNs, this.#now() - this.#lastNs) / 1e6
  }
}
