/** A command that talks to brokers: opens the client, closes it whatever happens, and puts its errors into sentences. */
import { Client } from '../../client/client.ts'
import { ConnectFailed, InvalidArgument, KafkaError } from '../../client/errors.ts'
import { Failure, systemCode, WrongUsage } from './failure.ts'
import { say } from './terminal.ts'

export interface ClientFlags {
  readonly bootstrap: string
  readonly json?: boolean
}

/** @throws Failure in place of any KafkaError */
export async function withClient(
  flags: ClientFlags,
  command: (client: Client) => Promise<void>,
): Promise<void> {
  const warn = (_details: object, message: string): void => say(`lograft: warning: ${message}`)
  const client = new Client({
    bootstrap: flags.bootstrap,
    clientId: 'lograft-cli',
    // Somebody is waiting: an address where nobody answers is told at once, a broker in trouble gets its time.
    bootstrapTimeoutMs: 0,
    connectTimeoutMs: 5_000,
    callTimeoutMs: 30_000,
    topicTimeoutMs: 3_000,
    logger: { debug: () => {}, info: () => {}, warn, error: warn },
  })
  try {
    await command(client)
  } catch (error) {
    throw failureOf(error)
  } finally {
    await client.close({ timeoutMs: 5_000 })
  }
}

/** A KafkaError as the sentence for the terminal; anything else as it is. */
export function failureOf(error: unknown): unknown {
  if (!(error instanceof KafkaError)) return error
  if (error instanceof InvalidArgument) return new WrongUsage(error.message)
  const refused = connectFailure(error)
  if (refused !== null && systemCode(refused) === 'ECONNREFUSED') {
    return new Failure(`${refused.message}: is it running? start one with lograft start`)
  }
  return new Failure(error.advice === '' ? error.message : `${error.message}: ${error.advice}`)
}

function connectFailure(error: unknown): ConnectFailed | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ConnectFailed) return cause
  }
  return null
}
