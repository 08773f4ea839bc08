/** librdkafka as the nemesis meets it: a producer and a member of a group, in processes of their own. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { environment } from '../../wire/broker.ts'
import { Member } from '../../wire/observed-member.ts'
import { keyOf, type Stage, sleep, until } from '../stage.ts'

const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
const script = fileURLToPath(new URL('../../../../test/nemesis/python/producer.py', import.meta.url))

type Told =
  | {
      readonly event: 'sent'
      readonly records: readonly [number, number, number, number | null, string | null][]
    }
  | { readonly event: 'done'; readonly failure: string | null; readonly open: readonly [number, number][] }

/** All places are partitions of one topic. */
export async function produceWithLibrdkafka(stage: Stage, name: string, perSecond: number): Promise<void> {
  const { recording, places, cluster } = stage
  const topic = places[0]?.topic ?? ''
  const args = { bootstrap: cluster.bootstrap, topic, partitions: places.length, name, perSecond }
  const child = spawn(python, ['-u', script, JSON.stringify(args)], { env: environment(), stdio: 'pipe' })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000)
  })
  let isDone = false
  const record = (
    n: number,
    began: number,
    ended: number,
    offset: number | null,
    error: string | null,
  ): void => {
    const key = keyOf({ topic, partition: n % places.length })
    const send = { kind: 'send', key, value: `${name}:${n}`, acks: -1, isOrdered: true, beganMs: 0 } as const
    // A retry that found its record stored is not told where (-1 or below).
    const place = offset !== null && offset >= 0 ? offset : null
    recording.add(name, began, ended, error === null ? 'ok' : 'info', { ...send, offset: place })
    if (error !== null) recording.surface(name, error)
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = JSON.parse(line) as Told
    if (told.event === 'sent') for (const one of told.records) record(...one)
    else {
      for (const [n, began] of told.open) record(n, began, Infinity, null, 'unsettled')
      if (told.failure !== null) recording.violate(`${name} gave up: ${told.failure}`)
      isDone = true
    }
  })
  child.once('exit', (code) => {
    if (!isDone) recording.violate(`${name} ended by itself (${code}): ${stderr}`)
    isDone = true
  })
  while (!stage.isOver && !isDone) await sleep(100)
  child.stdin.write('\n')
  await until(`${name} has settled`, 90_000, () => isDone)
}

/** A reader may be behind at the end; in this time it comes further. */
const stalledMs = 30_000

/** A member of a group; at the end it must have read all that is there, in order. */
export class LibrdkafkaReader {
  readonly #member: Member
  readonly #stage: Stage

  constructor(stage: Stage, group: string) {
    this.#stage = stage
    const topic = stage.places[0]?.topic ?? ''
    const { bootstrap } = stage.cluster
    this.#member = new Member({ library: 'confluent_kafka', bootstrap, topic, group, strategy: 'range' })
  }

  /** @param ends offsets where the partitions end, by index */
  async finish(ends: readonly number[]): Promise<void> {
    const { recording } = this.#stage
    const total = ends.reduce((sum, end) => sum + end, 0)
    const member = this.#member
    for (let seen = -1; member.look().values.size < total && seen < member.values.size; ) {
      seen = member.values.size
      await sleepUntil(() => member.look().values.size >= total, stalledMs)
    }
    if (member.values.size < total)
      recording.violate(`librdkafka has read ${member.values.size} of ${total} records, and stands still`)
    for (const disorder of member.disorders.slice(0, 5)) recording.violate(`librdkafka skipped: ${disorder}`)
    await member.peer.end('SIGKILL')
  }
}

async function sleepUntil(holds: () => boolean, mostMs: number): Promise<void> {
  const deadline = performance.now() + mostMs
  while (!holds() && performance.now() < deadline) await sleep(100)
}
