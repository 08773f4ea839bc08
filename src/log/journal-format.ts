/**
 * The bytes of a journal: frames, one after the other, that only grow in number until the whole is written
 * anew.
 *
 *     frame: uint32 size of the body, uint32 crc32c of the body, body
 *     body:  uint8 kind, then
 *       base        int64 offset, int64 position, int32 epoch     the log begins here, at a batch (see Base in log.ts);
 *                   int64 start                                   users see it from here on: `offset`, or inside that batch
 *       cut         int64 position                                marks at and above it are gone
 *       epochStart  int64 offset, int64 position, int32 epoch, int32 leader id
 *       voters      int64 offset, int64 position, int32 epoch, uint16 count, int32 each; the same for the outgoing ones;
 *                   uint16 count, a uuid for each disk (zero: unknown)
 *       logStart    int64 offset, int64 position, int32 epoch, int64 new start
 *
 * Truncation is a frame and not a shorter file, so that a journal torn by a crash is always a prefix of what
 * was meant.
 */

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { Faulted } from '../base/errors.ts'
import { putUuid, uuidAt, zeroUuid } from '../base/uuid.ts'
import { readInt64, writeInt64 } from '../records/batch.ts'
import type { Base, Mark, PlacedMark } from './log.ts'

export type Frame =
  | { kind: 'base'; base: Base }
  | { kind: 'cut'; position: number }
  | { kind: 'mark'; placed: PlacedMark }

const kinds = { base: 0, epochStart: 1, voters: 2, logStart: 3, cut: 4 } as const
const headSize = 8
/** Kind, offset, position and epoch: what all but a cut begin with. */
const placeSize = 21
const diskSize = 16

type VotersMark = Extract<Mark, { kind: 'voters' }>

export function encodeFrame(frame: Frame): Buffer {
  const bytes = Buffer.alloc(headSize + bodySize(frame))
  const body = bytes.subarray(headSize)
  switch (frame.kind) {
    case 'cut':
      body.writeUInt8(kinds.cut, 0)
      writeInt64(body, 1, frame.position)
      break
    case 'base':
      body.writeUInt8(kinds.base, 0)
      writePlace(body, frame.base)
      writeInt64(body, placeSize, frame.base.start)
      break
    case 'mark':
      body.writeUInt8(kinds[frame.placed.mark.kind], 0)
      writePlace(body, frame.placed)
      writeMark(body, frame.placed.mark)
      break
  }
  bytes.writeUInt32BE(body.length, 0)
  bytes.writeUInt32BE(crc32c(body), 4)
  return bytes
}

/** The frame at `at` and the place after it; null when the bytes there are not a whole, sound frame. */
export function decodeFrame(bytes: Buffer, at: number): { frame: Frame; next: number } | null {
  if (bytes.length - at < headSize) return null
  const size = bytes.readUInt32BE(at)
  if (size === 0 || size > bytes.length - at - headSize) return null
  const body = bytes.subarray(at + headSize, at + headSize + size)
  if (crc32c(body) !== bytes.readUInt32BE(at + 4)) return null
  return { frame: decodeBody(body), next: at + headSize + size }
}

function bodySize(frame: Frame): number {
  if (frame.kind === 'cut') return 9
  if (frame.kind === 'base') return placeSize + 8
  const { mark } = frame.placed
  if (mark.kind === 'epochStart') return placeSize + 4
  if (mark.kind === 'logStart') return placeSize + 8
  return placeSize + 6 + 4 * (mark.voters.length + mark.outgoing.length) + diskSize * mark.disks.length
}

function writePlace(body: Buffer, place: { offset: number; position: number; epoch: number }): void {
  writeInt64(body, 1, place.offset)
  writeInt64(body, 9, place.position)
  body.writeInt32BE(place.epoch, 17)
}

function writeMark(body: Buffer, mark: Mark): void {
  switch (mark.kind) {
    case 'epochStart':
      body.writeInt32BE(mark.leaderId, placeSize)
      break
    case 'logStart':
      writeInt64(body, placeSize, mark.offset)
      break
    case 'voters':
      writeVoters(body, mark)
      break
  }
}

function writeVoters(body: Buffer, { voters, outgoing, disks }: VotersMark): void {
  let at = placeSize
  for (const ids of [voters, outgoing]) {
    at = body.writeUInt16BE(ids.length, at)
    for (const id of ids) at = body.writeInt32BE(id, at)
  }
  at = body.writeUInt16BE(disks.length, at)
  for (const disk of disks) {
    assert(putUuid(body, at, disk === '' ? zeroUuid : disk), 'a disk is known by a uuid')
    at += diskSize
  }
}

function readVoters(body: Buffer): VotersMark {
  let at = placeSize
  const ids = (): number[] => {
    const list: number[] = []
    at += 2
    for (let left = body.readUInt16BE(at - 2); left > 0; left--, at += 4) list.push(body.readInt32BE(at))
    return list
  }
  const voters = ids()
  const outgoing = ids()
  const disks: string[] = []
  at += 2
  for (let left = body.readUInt16BE(at - 2); left > 0; left--, at += diskSize) {
    const disk = uuidAt(body, at)
    disks.push(disk === zeroUuid ? '' : disk)
  }
  return { kind: 'voters', voters, outgoing, disks }
}

/**
 * The checksum was right, so a body that makes no sense was written by a newer version (or by a bug), not by
 * chance.
 */
function decodeBody(body: Buffer): Frame {
  const kind = body.readUInt8(0)
  if (kind === kinds.cut) return { kind: 'cut', position: readInt64(body, 1) }
  const place = { offset: readInt64(body, 1), position: readInt64(body, 9), epoch: body.readInt32BE(17) }
  if (kind === kinds.base) return { kind: 'base', base: { ...place, start: readInt64(body, placeSize) } }
  return { kind: 'mark', placed: { mark: decodeMark(kind, body), ...place } }
}

function decodeMark(kind: number, body: Buffer): Mark {
  switch (kind) {
    case kinds.epochStart:
      return { kind: 'epochStart', leaderId: body.readInt32BE(placeSize) }
    case kinds.logStart:
      return { kind: 'logStart', offset: readInt64(body, placeSize) }
    case kinds.voters:
      return readVoters(body)
    default:
      throw new Faulted('bytes', `a journal entry of unknown kind ${kind}: written by a newer version?`)
  }
}
