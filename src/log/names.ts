/** The names of a partition's files. Those of a segment carry its base offset, as in Kafka: 20 digits. */

/** Of one segment. */
export const segmentSuffixes = { batches: '.log', index: '.index' } as const
export const snapshotSuffix = '.producers'
export const imageSuffix = '.image'
/** Written, not yet renamed: worth nothing after a crash. */
export const temporarySuffix = '.tmp'
/** Put aside by recovery, for a person to look at. */
export const asideSuffix = '.cut'
export const journalName = 'journal'
export const barrierName = 'barrier'
export const cleanName = 'clean'

export function offsetName(offset: number, suffix: string): string {
  return `${String(offset).padStart(20, '0')}${suffix}`
}

/** The offset in a name that `offsetName` made with this suffix; null for any other name. */
export function offsetInName(name: string, suffix: string): number | null {
  if (name.length !== 20 + suffix.length || !name.endsWith(suffix)) return null
  const digits = name.slice(0, 20)
  if (!/^\d+$/.test(digits)) return null
  const offset = Number(digits)
  return Number.isSafeInteger(offset) ? offset : null
}

/** Offsets of all files with this suffix, ascending. `names` is sorted, and zero-padding keeps that order. */
export function offsetsIn(names: readonly string[], suffix: string): number[] {
  const offsets: number[] = []
  for (const name of names) {
    const offset = offsetInName(name, suffix)
    if (offset !== null) offsets.push(offset)
  }
  return offsets
}
