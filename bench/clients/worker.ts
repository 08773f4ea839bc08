/** One library, one piece of work, one process: prints the figures as JSON. Arguments: one JSON value. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type LibraryName, open } from './libraries.ts'

export interface Work {
  readonly library: LibraryName
  readonly bootstrap: string
  readonly topic: string
  readonly kind: 'single' | 'batched' | 'consume'
  readonly valueBytes: number
  /** Records. */
  readonly count: number
  /** The folder that holds node-rdkafka; empty when it is not measured. */
  readonly native: string
}

export interface Figures {
  /** Records per second. */
  readonly rate: number
  /** CPU of the process per million records, seconds. */
  readonly cpuPerMillion: number
  readonly peakMiB: number
  /** 99th percentile, and the longest, of what timers were late. */
  readonly delayP99Ms: number
  readonly delayMaxMs: number
}

const perCall = 1_000
const callsUnderWay = 4

const work = JSON.parse(process.argv[2] ?? '') as Work
const { library: name, bootstrap, topic, kind, count } = work
const library = await open(name, bootstrap, { isSingle: kind === 'single', native: work.native })
const value = Buffer.alloc(work.valueBytes, 'x')
const many = Array.from({ length: perCall }, () => value)

async function run(total: number): Promise<void> {
  if (kind === 'consume') {
    const bytes = await library.consume(topic, total)
    if (bytes !== total * work.valueBytes) throw new Error(`read ${bytes} bytes`)
  } else if (kind === 'single') {
    for (let n = 0; n < total; n++) await library.send(topic, [value])
  } else {
    let left = total
    const sendOn = async (): Promise<void> => {
      while (left > 0) {
        left -= perCall
        await library.send(topic, many)
      }
    }
    await Promise.all(Array.from({ length: callsUnderWay }, sendOn))
  }
}

// Warm: connections, metadata, compiled code.
await run(kind === 'single' ? 200 : Math.min(count, 20_000))
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const cpu = process.cpuUsage()
const begun = performance.now()
await run(count)
const seconds = (performance.now() - begun) / 1_000
const { user, system } = process.cpuUsage(cpu)
delay.disable()
const figures: Figures = {
  rate: count / seconds,
  cpuPerMillion: (user + system) / count,
  peakMiB: process.resourceUsage().maxRSS / 1024,
  delayP99Ms: delay.percentile(99) / 1e6,
  delayMaxMs: delay.max / 1e6,
}
process.stdout.write(`${JSON.stringify(figures)}\n`)
// What a library leaves behind must not hold the next one up.
await Promise.race([library.close(), new Promise((resolve) => setTimeout(resolve, 2_000))])
process.exit(0)
