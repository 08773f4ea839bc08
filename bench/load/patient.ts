/** See `patience` in flood.ts: BOOTSTRAP FRAME(base64) EVERY_MS SECONDS. */
import { createHistogram } from 'node:perf_hooks'
import { LoadConnection } from './connection.ts'

const [bootstrap = '', base64 = '', everyMs = '5', seconds = '5'] = process.argv.slice(2)
const frame = Buffer.from(base64, 'base64')
const connection = await LoadConnection.open(bootstrap)
const histogram = createHistogram()
const count = Math.ceil((Number(seconds) * 1000) / Number(everyMs))
const begun = performance.now()
let answered = 0
await new Promise<void>((resolve) => {
  let sent = 0
  const turn = (): void => {
    for (; sent < count && begun + sent * Number(everyMs) <= performance.now(); sent++) {
      const due = begun + sent * Number(everyMs)
      connection.send(frame, () => {
        histogram.record(Math.max(1, Math.round((performance.now() - due) * 1e6)))
        if (++answered === count) resolve()
      })
    }
    if (sent < count) setTimeout(turn, Math.max(0, begun + sent * Number(everyMs) - performance.now()))
  }
  turn()
})
connection.close()
const of = (nanoseconds: number): number => nanoseconds / 1e6
const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map(of)
process.stdout.write(JSON.stringify({ p50, p99, max }))
