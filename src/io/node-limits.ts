/** What the system allows this process. */
import { readFileSync } from 'node:fs'

/** macOS starts processes with this many; where nothing tells, assume no more. */
const openFilesFallback = 256

/** Files and sockets that this process may have open. */
export function openFilesLimit(): number {
  let limits: string
  try {
    limits = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    // Not Linux: there is no /proc, and Node has no other cheap way to ask.
    return openFilesFallback
  }
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1]
  if (soft === undefined) return openFilesFallback
  return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft)
}
