/**
 * A lock that dies with its process.
 *
 * Node has no flock(2). The command `flock` locks an open file that it inherits, and such a lock belongs to
 * the open file, not to the process that asked: it stays with us when the command has ended, and the kernel
 * drops it when we die, however we die. That costs 3 ms at start-up, once. A file with our pid alone was
 * rejected as the first choice: two containers on one volume cannot see each other's processes. It remains
 * for systems without the command.
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'

/** Returns null when another live process (or another part of this one) holds the lock at `path`. */
export function lockFile(path: string): { release(): void } | null {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644)
  const held = flock(fd) ?? holdByPid(fd, path)
  if (!held) {
    fs.closeSync(fd)
    return null
  }
  // For the person who wonders; nobody trusts it when flock works.
  fs.ftruncateSync(fd, 0)
  fs.writeSync(fd, `${process.pid} ${startOf(process.pid) ?? ''}\n`, 0)
  heldByUs.add(path)
  let released = false
  return {
    release: () => {
      if (released) return
      released = true
      heldByUs.delete(path)
      fs.ftruncateSync(fd, 0)
      fs.closeSync(fd)
    },
  }
}

const heldByUs = new Set<string>()

/** null when there is no such command. */
function flock(fd: number): boolean | null {
  const tried = spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  if (tried.error !== undefined || tried.status === 127) return null
  return tried.status === 0
}

function holdByPid(fd: number, path: string): boolean {
  if (heldByUs.has(path)) return false
  const text = Buffer.alloc(64)
  const [pid, start] = text
    .toString('latin1', 0, fs.readSync(fd, text, 0, 64, 0))
    .trim()
    .split(' ')
  if (pid === undefined || pid === '' || Number(pid) === process.pid) return true
  try {
    process.kill(Number(pid), 0)
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ESRCH'
  }
  // A live process with that number, yet another one than the holder: pids are used again.
  return start !== undefined && startOf(Number(pid)) !== start
}

/** When a process started, in ticks since boot; undefined where /proc does not say. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
