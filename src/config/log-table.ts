/** Rows of the table (table.ts) for what lies beneath topics: logs, their files and memory, the machines that live on them. */
import { int, long, type Row } from './row.ts'

export const logTable = {
  'log.retention.check.interval.ms': long(300_000, 'How often retention looks, ms.', { min: 1 }),
  'lograft.files.open.max': int(
    0,
    'Open files of all logs together; 0 takes three quarters of what the system allows this process, at most 65536.',
    { min: 0 },
  ),
  'lograft.tail.bytes.max': int(
    33_554_432,
    'Memory for the batches that were appended last, of all logs together: they are read from there, bytes. 0: none.',
    { min: 0 },
  ),
  'lograft.tail.batch.bytes.min': int(4096, 'Smaller batches are not kept there, bytes.', { min: 1 }),
  'lograft.read.ahead.bytes.max': int(
    16_777_216,
    'Memory for what is read ahead of consumers far behind the end, of all logs together, bytes. 0: none.',
    { min: 0 },
  ),
  'lograft.buffers.bytes.max': int(
    33_554_432,
    'Memory that is kept to be used again for what is read from sockets and files, bytes. 0: none.',
    { min: 0 },
  ),
  'lograft.buffers.size.min': int(4096, 'Smaller reads get memory of their own, bytes.', { min: 1 }),
  'lograft.syncs.in.flight.max': int(4, 'Logs that are synced at the same time.', { min: 1, max: 64 }),
  'lograft.write.leave.bytes.min': int(524_288, 'Writes of so many bytes leave the event loop.', { min: 1 }),
  'lograft.write.slow.ms': int(15, 'A write that takes so long: the disk is slow, and all leave, ms.', {
    min: 1,
  }),
  'lograft.write.shadow.ms': int(1000, 'For so long they do, ms; if that comes again soon, twice as long.', {
    min: 0,
  }),
  'lograft.write.shadow.max.ms': int(30_000, 'For so long at most, ms.', { min: 0 }),
  'lograft.batch.expanded.bytes.max': int(
    67_108_864,
    'What a compressed batch may expand to where the broker must look inside, bytes.',
    { min: 1024 },
  ),
  'lograft.uncommitted.bytes.max': int(67_108_864, 'Bytes that one partition may hold uncommitted.', {
    min: 1024,
  }),
  'producer.id.expiration.ms': int(86_400_000, 'How long an idle producer is remembered, ms.', { min: 1 }),
  'lograft.producers.max': int(100_000, 'Producers remembered for one partition.', { min: 1 }),
  'lograft.image.changes.max': int(10_000, 'Changes of a replicated machine between two images.', { min: 1 }),
  'lograft.image.bytes.max': int(4_194_304, 'Bytes of changes of a replicated machine between two images.', {
    min: 1024,
  }),

  'lograft.commands.pending.max': int(
    10_000,
    'Commands of one replicated machine that wait for their answer.',
    {
      min: 1,
    },
  ),
} as const satisfies { readonly [name: string]: Row<unknown> }
