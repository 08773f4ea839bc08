/** Connections that want all they can get, and a patient one beside them. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { LoadConnection } from './connection.ts'

export interface FloodOptions {
  readonly bootstrap: string
  /** Sent over and over; the nth connection begins with the nth. */
  readonly frames: readonly Buffer[]
  readonly connections: number
  readonly inFlight: number
}

/** Each connection has `inFlight` requests under way until it is stopped. */
export class Flood {
  answered = 0
  bytes = 0
  #isStopping = false
  readonly #connections: readonly LoadConnection[]

  private constructor(connections: readonly LoadConnection[]) {
    this.#connections = connections
  }

  static async begin({ bootstrap, frames, connections, inFlight }: FloodOptions): Promise<Flood> {
    const opened = await Promise.all(
      Array.from({ length: connections }, () => LoadConnection.open(bootstrap)),
    )
    const flood = new Flood(opened)
    for (const [at, connection] of opened.entries()) flood.#keepBusy(connection, frames, at, inFlight)
    return flood
  }

  stop(): void {
    this.#isStopping = true
    for (const connection of this.#connections) connection.close()
  }

  #keepBusy(connection: LoadConnection, frames: readonly Buffer[], first: number, inFlight: number): void {
    let next = first
    const send = (): void => {
      const frame = frames[next++ % frames.length]
      if (frame !== undefined) connection.send(frame, onAnswer)
    }
    const onAnswer = (_: Buffer, size: number): void => {
      this.answered++
      this.bytes += size
      if (!this.#isStopping) send()
    }
    connection.onFault = (error) => {
      if (!this.#isStopping) throw error
    }
    for (let i = 0; i < inFlight; i++) send()
  }
}

/** ms, from when a request was due to its answer. */
export interface Patience {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const program = fileURLToPath(new URL('./patient.js', import.meta.url))
const run = promisify(execFile)

/** A request every `everyMs`, from a process of its own: the flood's own event loop is not what is to be measured. */
export async function patience(options: {
  readonly bootstrap: string
  readonly frame: Buffer
  readonly everyMs: number
  readonly seconds: number
}): Promise<Patience> {
  const words = [options.bootstrap, options.frame.toString('base64'), options.everyMs, options.seconds]
  const { stdout } = await run(process.execPath, [program, ...words.map(String)])
  return JSON.parse(stdout) as Patience
}
