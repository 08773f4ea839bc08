/** `lograft log ...`: segments read offline, without a broker. */
import { NodeDisk } from '../io/node-disk.ts'
import {
  type BatchSummary,
  batchesOf,
  type FoundBatch,
  recordsOf,
  type SegmentFile,
  segmentFiles,
} from '../log/dump.ts'
import { type Finding, verify } from '../log/verify.ts'
import { Failure } from './failure.ts'
import { storedRecordJson } from './record-format.ts'
import { interruption, print, printJson, progress, say } from './terminal.ts'

/** What a batch may expand to here: more than any broker lets in. */
const expandedBytesMax = 1_073_741_824

export async function dumpLog(path: string, flags: { records?: boolean; json?: boolean }): Promise<void> {
  const disk = new NodeDisk()
  const interrupted = interruption()
  let damaged = 0
  for (const segment of segmentFiles(disk, path)) {
    if (flags.json !== true) await print(`${segment.path}\n`)
    const batches = batchesOf(disk, segment)
    let next = await batches.next()
    for (; next.done !== true && !interrupted.aborted; next = await batches.next()) {
      await printBatch(segment, next.value, flags)
    }
    if (next.done !== true || next.value === null) continue
    damaged++
    const { position, detail } = next.value
    if (flags.json === true) await printJson({ file: segment.path, position, problem: detail })
    else await print(`  position ${position}: ${detail}\n`)
  }
  if (damaged > 0)
    throw new Failure(`${damaged} segment${damaged === 1 ? '' : 's'} with bytes that are no batch; see above`)
}

async function printBatch(
  segment: SegmentFile,
  { summary, buffer, at }: FoundBatch,
  flags: { records?: boolean; json?: boolean },
): Promise<void> {
  const records =
    flags.records === true ? recordsOf(buffer, at, expandedBytesMax).map(storedRecordJson) : undefined
  if (flags.json === true) {
    await printJson({ file: segment.path, ...summary, ...(records !== undefined && { records }) })
    return
  }
  await print(`  ${lineOf(summary)}\n`)
  for (const record of records ?? []) await print(`    ${JSON.stringify(record)}\n`)
}

function lineOf(summary: BatchSummary): string {
  const { position, bytes, baseOffset, lastOffset, count, leaderEpoch, codec, maxTimestamp, producerId } =
    summary
  const producer =
    producerId < 0
      ? ''
      : ` producer ${producerId} epoch ${summary.producerEpoch} sequence ${summary.baseSequence}`
  const flags = `${summary.isTransactional ? ' transactional' : ''}${summary.isControl ? ' control' : ''}`
  return (
    `position ${position} offsets ${baseOffset}-${lastOffset} records ${count} bytes ${bytes} epoch ${leaderEpoch} ` +
    `codec ${codec} ${summary.timestampType} ${maxTimestamp}${producer}${flags}`
  )
}

export async function verifyLog(path: string, flags: { json?: boolean }): Promise<void> {
  const disk = new NodeDisk()
  const total = segmentFiles(disk, path).reduce((bytes, segment) => bytes + segment.bytes, 0)
  const bar = await progress('verify', total)
  const verified = await verify({ disk, path, expandedBytesMax, onProgress: (bytes) => bar.update(bytes) })
  bar.stop()
  const { findings, segments, batches, records, bytes } = verified
  if (flags.json === true) {
    for (const finding of findings) await printJson(finding)
    await printJson({ segments, batches, records, bytes, findings: findings.length })
  } else {
    for (const finding of findings) await print(`${sentenceOf(finding)}\n`)
    say(
      `${segments} segments, ${batches} batches, ${records} records, ${bytes} bytes: ${findings.length} findings`,
    )
  }
  if (findings.some(({ kind }) => kind !== 'torn')) {
    throw new Failure('the log is damaged: keep a copy of the folder before anything else is tried')
  }
}

function sentenceOf({ kind, path, position, detail }: Finding): string {
  return `${kind} ${path}${position === null ? '' : ` at position ${position}`}: ${detail}`
}
