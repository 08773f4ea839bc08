/**
 * A room of its own for a cluster under attack: namespaces of network, mounts and processes (Linux). Whatever happens to whoever made
 * it, nothing is left behind: links, mounts and brokers go with the room.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

const inside = 'LOGRAFT_NEMESIS_ROOM'

/** `--kill-child`: all of it ends with this process. */
function command(): string[] {
  const mapped = process.getuid?.() === 0 ? [] : ['--map-root-user']
  return ['unshare', ...mapped, '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
}

export function isInRoom(): boolean {
  return process.env[inside] === '1'
}

/** False, or the reason why this user on this machine gets no room. */
export function whyNoRoom(): string | false {
  const [program = '', ...args] = command()
  const probe =
    'ip link set lo up && ip rule add iif lo to 10.77.1.2 blackhole && echo 1 > /proc/sys/net/ipv4/ip_forward'
  const { status, stderr, error } = spawnSync(program, [...args, 'sh', '-c', probe], { encoding: 'utf8' })
  return status !== 0 && `no namespaces here: ${error?.message ?? stderr.trim()}`
}

/** Runs a Node program inside a room, with our own output; resolves with its exit code. */
export async function runInRoom(program: string, args: readonly string[]): Promise<number> {
  const [unshare = '', ...flags] = command()
  const env = { ...process.env, [inside]: '1' }
  const child = spawn(unshare, [...flags, process.execPath, program, ...args], { env, stdio: 'inherit' })
  const end = (): void => void child.kill('SIGKILL')
  process.on('exit', end)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}
