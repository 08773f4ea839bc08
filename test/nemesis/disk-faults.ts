/** Disks that fail: full, syncs that are refused, bytes that are not what they were. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { sleep } from './stage.ts'

const ballast = 'ballast'

/** Takes all room on the disk that `folder` is on. */
export function fillDisk(folder: string): void {
  const file = openSync(join(folder, ballast), 'w')
  // Smaller and smaller pieces: to the last byte.
  for (let piece = 1 << 20; piece >= 1; piece >>= 1) {
    const bytes = Buffer.alloc(piece, 1)
    try {
      while (writeSync(file, bytes) > 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  closeSync(file)
}

export function emptyDisk(folder: string): void {
  rmSync(join(folder, ballast), { force: true })
}

/** From now on every thread of a process is told EIO by its next fdatasync, until `end`. */
export async function failSyncs(pid: number): Promise<{ end: () => Promise<void> }> {
  const inject = ['-e', 'trace=fdatasync,fsync', '-e', 'inject=fdatasync,fsync:error=EIO']
  const strace: ChildProcess = spawn('strace', ['-f', '-qq', '-o', '/dev/null', '-p', `${pid}`, ...inject], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const exited = once(strace, 'exit')
  await sleep(100)
  return {
    end: async () => {
      strace.kill('SIGINT')
      const late = setTimeout(() => strace.kill('SIGKILL'), 3000)
      await exited
      clearTimeout(late)
    },
  }
}

export type Damage = 'flip' | 'truncate'

/**
 * Hurts one segment below a folder that no broker has open: one bit, or a cut of the file's last part. Resolves with what was done, or null
 * when there is nothing to hurt.
 */
export function damage(partitions: string, topicId: string, kind: Damage): string | null {
  const segments = readdirSync(partitions)
    .filter((name) => name.startsWith(topicId))
    .flatMap((name) => readdirSync(join(partitions, name)).map((file) => join(partitions, name, file)))
    .filter((path) => path.endsWith('.log') && statSync(path).size > 1000)
  const path = segments[Math.floor(Math.random() * segments.length)]
  if (path === undefined) return null
  const { size } = statSync(path)
  const at = Math.floor(Math.random() * size * 0.9)
  if (kind === 'truncate') {
    truncateSync(path, at)
    return `${path} was cut from ${size} to ${at} bytes`
  }
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte.writeUInt8(byte.readUInt8(0) ^ (1 << Math.floor(Math.random() * 8)))
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
  return `one bit of ${path} at ${at} of ${size} was flipped`
}
