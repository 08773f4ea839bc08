/** NATS with JetStream on this machine: where it comes from, one server, its streams in files of a folder that goes with it. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from '../ports.ts'
import { endProcess, startProcess } from '../process.ts'
import { runs } from './jars.ts'

const natsVersion = '2.15.2'

/** The server's executable in `folder`, built there when it is not there yet; or why there is none. */
export async function natsExecutable(folder: string): Promise<{ executable: string } | { missing: string }> {
  const executable = resolve(folder, 'nats-server')
  if (existsSync(executable)) return { executable }
  if (!(await runs('go', 'version')))
    return { missing: 'Go, which would build NATS, is not here: lograft is not measured beside it' }
  process.stderr.write(`building nats-server ${natsVersion} in ${folder}\n`)
  mkdirSync(folder, { recursive: true })
  const env = { ...process.env, GOBIN: resolve(folder) }
  await promisify(execFile)('go', ['install', `github.com/nats-io/nats-server/v2@v${natsVersion}`], { env })
  return { executable }
}

export interface NatsServer {
  readonly host: string
  readonly port: number
  readonly pid: number
  readonly readyMs: number
  stop(): Promise<void>
}

/** When what a stream was given goes to the disk: before it is acknowledged, or every two minutes as NATS has it. */
type NatsSync = 'always' | '2m'

/** Everything that is not said here is as NATS has it. */
export async function startNats(executable: string, sync: NatsSync): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-bench-nats-'))
  const host = '127.0.0.1'
  const [port = 0] = await freePorts(1)
  const file = join(folder, 'nats.conf')
  const streams = `jetstream { store_dir: "${join(folder, 'data')}", sync_interval: ${sync} }`
  writeFileSync(file, `listen: "${host}:${port}"\n${streams}\n`)
  // It says everything on standard error.
  const { child, pid, readyMs } = await startProcess(
    'sh',
    ['-c', 'exec "$0" "$@" 2>&1', executable, '-c', file],
    (line) => line.includes('Server is ready'),
  )
  return {
    host,
    port,
    pid,
    readyMs,
    stop: async () => {
      await endProcess(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
