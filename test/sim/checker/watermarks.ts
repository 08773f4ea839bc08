/**
 * hw-regress: the high watermark and the log start that one process is told never go back. stale-hw: who asks for the end after
 * an acks=all was answered hears of it.
 */
import type { Anomaly, Bound, Poll } from './history.ts'
import { anomaly, type View } from './structures.ts'
import { grouped, regressions, type Seen } from './sweep.ts'

type Told = Seen & { readonly key: string; readonly process: string; readonly what: string }

export function* watermarkRegressions({ operations, history }: View): Generator<Anomaly> {
  const told: Told[] = []
  for (const operation of operations) {
    if (operation.outcome !== 'ok' || history.unsynced.has(keyOf(operation))) continue
    if (operation.kind === 'poll') told.push(...ofPoll(operation))
    else if (operation.kind === 'bound') told.push(ofBound(operation))
  }
  for (const same of grouped(told, ({ key, process, what }) => `${key} ${process} ${what}`).values()) {
    for (const { reader, known } of regressions(same, same)) {
      yield anomaly(
        'hw-regress',
        reader.key,
        `${reader.process}: ${reader.what} ${reader.value} after ${known}`,
      )
    }
  }
}

export function* staleHighWatermarks({ operations, keys, history }: View): Generator<Anomaly> {
  const bounds = operations.filter((one): one is Bound => one.kind === 'bound' && one.outcome === 'ok')
  for (const [key, asked] of grouped(bounds, (bound) => bound.key)) {
    if (history.unsynced.has(key)) continue
    const known = (keys.get(key)?.sends ?? [])
      .filter((send) => send.outcome === 'ok' && send.acks === -1 && send.offset !== null)
      .map(({ began, ended, offset }) => ({ began, ended, value: (offset ?? 0) + 1 }))
    const latest = asked
      .filter(({ which }) => which === 'latest')
      .map(({ began, ended, offset }) => ({ began, ended, value: offset }))
    for (const { reader, known: end } of regressions(known, latest)) {
      yield anomaly('stale-hw', key, `the end was ${reader.value} when ${end - 1} had been acknowledged`)
    }
  }
}

function keyOf(operation: { kind: string; key: string }): string {
  return operation.key
}

function ofPoll({ key, process, began, ended, highWatermark, logStart }: Poll): Told[] {
  const told = [{ key, process, began, ended, what: 'high watermark', value: highWatermark }]
  if (logStart >= 0) told.push({ key, process, began, ended, what: 'log start', value: logStart })
  return told
}

function ofBound({ key, process, began, ended, which, offset }: Bound): Told {
  return {
    key,
    process,
    began,
    ended,
    what: which === 'latest' ? 'high watermark' : 'log start',
    value: offset,
  }
}
