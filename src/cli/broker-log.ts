/**
 * The broker's events as log lines on stderr, by pino. pino is loaded when the broker is ready, or after a second, or when
 * it fails: its 10-40 ms are not part of the start. What happens before that is kept, in order.
 */
import type { Logger } from 'pino'
import type { StartOptions } from '../main.ts'

type BrokerEvent = Parameters<StartOptions['onEvent']>[0]

const levels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof levels)[number]

export function isLogLevel(text: string): text is LogLevel {
  return (levels as readonly string[]).includes(text)
}

const heldMax = 10_000

export class BrokerLog {
  readonly #level: LogLevel
  #logger: Logger | null = null
  #loading: Promise<void> | null = null
  #held: { readonly event: BrokerEvent; readonly time: number }[] = []
  #dropped = 0
  readonly #timer: NodeJS.Timeout

  constructor(level: LogLevel) {
    this.#level = level
    this.#timer = setTimeout(() => void this.open(), 1_000).unref()
  }

  readonly write = (event: BrokerEvent): void => {
    if (levels.indexOf(event.level) < levels.indexOf(this.#level)) return
    if (this.#logger !== null) this.#print(this.#logger, event)
    else if (this.#held.length < heldMax) this.#held.push({ event, time: Date.now() })
    else this.#dropped++
  }

  /** From here on lines are written at once. */
  open(): Promise<void> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  async #load(): Promise<void> {
    clearTimeout(this.#timer)
    const { pino } = await import('pino')
    // Synchronous: what was logged is out even when the process dies with the next statement.
    const stderr = process.stderr.isTTY ? { write: printForPerson } : pino.destination({ fd: 2, sync: true })
    const logger = pino({ level: this.#level, base: null }, stderr)
    for (const { event, time } of this.#held) this.#print(logger, event, time)
    this.#held = []
    if (this.#dropped > 0)
      logger.warn({ event: 'log.lines.dropped', lines: this.#dropped }, 'log lines were dropped')
    this.#logger = logger
  }

  #print(logger: Logger, { level, message, ...details }: BrokerEvent, time?: number): void {
    logger[level](time === undefined ? details : { ...details, at: new Date(time).toISOString() }, message)
  }
}

/** On a terminal: time, level and sentence, then the details. */
function printForPerson(line: string): void {
  const { level, time, msg, at, event, ...details } = JSON.parse(line) as Record<string, unknown>
  const clock = new Date(typeof at === 'string' ? at : Number(time)).toISOString().slice(11, 23)
  const name = level === 20 ? 'debug' : level === 30 ? 'info ' : level === 40 ? 'warn ' : 'error'
  const rest = Object.entries(details).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`)
  process.stderr.write(`${clock} ${name} ${String(msg)}  [${String(event)}]${rest.join('')}\n`)
}
