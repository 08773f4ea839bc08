/** `lograft start`: one broker in this process, until a signal. */
import { messageOf } from '../base/errors.ts'
import type { Figures, RunningBroker } from '../main.ts'
import { BrokerLog, isLogLevel, type LogLevel } from './broker-log.ts'
import { exitCodes, Failure, systemCode, WrongUsage } from './failure.ts'
import { type BrokerOptions, brokerOptions, type StartFlags } from './start-options.ts'
import { printJson, say } from './terminal.ts'

/** The promise to whoever sends SIGTERM. */
const stopWithinMs = 10_000

export async function start(flags: StartFlags, version: string): Promise<void> {
  const options = brokerOptions(flags, process.env)
  const log = new BrokerLog(logLevel(process.env.LOGRAFT_LOG_LEVEL))
  process.on('uncaughtException', (error) => {
    // A broken assertion, or a fault nobody foresaw: stop here, recovery starts from what is durable.
    say(`lograft: stopped by an internal error: ${error.stack ?? error.message}`)
    process.exit(exitCodes.failed)
  })
  let running: RunningBroker | null = null
  // What a page of metrics would say, for whoever has but a shell on that machine. Too early it must not end the process.
  process.on('SIGUSR2', () => {
    if (running !== null) void tell(running.figures(), log, flags.json === true)
  })
  const stopped = firstSignal()
  const broker = await Promise.race([open(options, log), stopped])
  // Told to stop before it was ready: nothing was promised to anybody yet, and what is durable is recovered at the next start.
  if (broker === undefined) process.exit(exitCodes.done)
  if (flags.json === true) {
    const { nodeId, clusterId, bootstrap, peer, http } = broker
    await printJson({ event: 'ready', nodeId, clusterId, bootstrap, peer, http })
  } else {
    say(
      `lograft ${version} is ready: Kafka on ${broker.bootstrap}, data in ${options.dataDir} (Ctrl-C stops it)`,
    )
  }
  await log.open()
  if (flags.httpPort !== undefined) {
    const message = 'HTTP is not served yet: --http-port has no effect'
    log.write({ level: 'warn', event: 'flags.without.effect', message })
  }
  running = broker
  await Promise.race([stopped, broker.retired])
  const deadline = setTimeout(() => {
    say(
      `lograft: it did not stop within ${stopWithinMs / 1000} s; what is durable will be recovered at the next start`,
    )
    process.exit(exitCodes.failed)
  }, stopWithinMs - 500)
  await broker.stop()
  clearTimeout(deadline)
  // Nothing should be left; if something is, it must not hold the exit up.
  process.exit(exitCodes.done)
}

async function tell(figures: Figures, log: BrokerLog, isJson: boolean): Promise<void> {
  if (isJson) await printJson({ event: 'figures', ...figures })
  else log.write({ level: 'info', event: 'figures', message: 'how this broker fares', ...figures })
}

async function open(options: BrokerOptions, log: BrokerLog): Promise<RunningBroker> {
  const { startBroker } = await import('../main.ts')
  try {
    return await startBroker({ ...options, onEvent: log.write })
  } catch (error) {
    await log.open()
    throw new Failure(whyNot(error, options))
  }
}

function whyNot(error: unknown, { host, port, dataDir }: BrokerOptions): string {
  const isNet = error instanceof Error && error.message.startsWith('net:')
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use by another program; choose another with --port (0 picks a free one)`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `--host ${host} is no address of this machine`
    case 'EACCES':
    case 'EPERM':
      return isNet
        ? `port ${port} may not be used: ${messageOf(error)}`
        : `--data-dir ${dataDir} may not be used: ${messageOf(error)}`
    case 'ENOTDIR':
    case 'EEXIST':
      return `--data-dir ${dataDir} is not a folder: ${messageOf(error)}`
    default:
      return isBug(error) ? `internal error: ${(error as Error).stack ?? messageOf(error)}` : messageOf(error)
  }
}

/** Faults of the world come as Faulted and the like, each with its sentence. */
function isBug(error: unknown): boolean {
  return (
    !(error instanceof Error) || ['Error', 'TypeError', 'RangeError', 'AssertionFailed'].includes(error.name)
  )
}

/** Resolves with the first SIGTERM or SIGINT; the second ends the process. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false
    const onSignal = (): void => {
      if (isStopping) process.exit(exitCodes.failed)
      isStopping = true
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

function logLevel(text: string | undefined): LogLevel {
  if (text === undefined || text === '') return 'info'
  if (!isLogLevel(text))
    throw new WrongUsage(`LOGRAFT_LOG_LEVEL must be debug, info, warn or error, not '${text}'`)
  return text
}
