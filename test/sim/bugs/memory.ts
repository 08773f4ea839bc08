/** Memory that is used again too early. The simulation overwrites it at once: poisoned-buffers.ts. (What a socket has not taken yet: test/base/loans.test.ts.) */
import type { Plan } from '../plan.ts'
import { type Bug, edit } from './bug.ts'

/** Batches are read from memory. */
const hot = (plan: Plan): Plan => {
  const tail = { 'lograft.tail.bytes.max': '2000', 'lograft.tail.batch.bytes.min': '1' }
  return { ...plan, settings: { ...plan.settings, ...tail } }
}

/** Batches are read from the disk, a few at a time, by brokers that have come back. */
const fromDisk = (plan: Plan): Plan => ({
  ...plan,
  settings: { ...plan.settings, 'lograft.tail.bytes.max': '0', 'lograft.buffers.size.min': '1' },
})

export const memoryBugs: readonly Bug[] = [
  {
    name: 'memory is used again before the log has written it',
    seed: 0,
    edits: [
      edit('log/append-queue', 'retain(bytes);', ''),
      edit('log/append-queue', 'releaseAll(run.batches);', ''),
      edit('log/append-queue', 'releaseAll(leaving.batches);', ''),
    ],
  },
  {
    name: 'memory is used again before a follower has appended it',
    seed: 0,
    edits: [
      edit('replica/replica-host', 'retainAll(message.entries.batches);', ''),
      edit('replica/loop', 'releaseAll(operation.entries.batches);', ''),
    ],
  },
  {
    name: 'memory is used again while others read it',
    seed: 0,
    aim: hot,
    edits: [edit('log/hot-tail', 'retain(batch.bytes);', '')],
  },
  {
    name: 'what was read ahead is used again while others read it',
    seed: 0,
    aim: fromDisk,
    edits: [edit('log/read-window', 'retain(run.bytes);', '')],
  },
]
