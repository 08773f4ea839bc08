/**
 * The messages of quorum members, many in one frame: all that a turn has for one peer.
 *
 *     head     int8 kind of frame, uint32 sum of the batches' places, sections until its end
 *     section  int8 kind, then its layout: the messages of one kind that follow each other; their replicas beside them
 *     payload  the batches of all appends, in order
 *
 * Replicas are numbers that the sender gives out for a connection, each said once with its name: a heartbeat then costs 26 bytes
 * and no text (60 with the name, and five times the time to read it).
 *
 * The places of a batch are its first 21 bytes (base offset, size, leader epoch, its own checksum): what its checksum leaves out.
 */
import {
  array,
  bool,
  bytes,
  float64,
  int8,
  int32,
  int64,
  layout,
  type Shape,
  string,
  struct,
  uint16,
  uint32,
} from '../notation.ts'
import { peerVersions } from './frame.ts'

/** Numbers that a sender has for the replicas of a connection; when they are used up it forgets all, and says so. */
export const replicaNumbers = 65_536

const section = <S extends Shape>(name: string, shape: S) =>
  layout(shape, { versions: peerVersions, flexible: null, name })

/** Messages of one kind; `replicas[i]` is whose `messages[i]` is. */
const messages = <S extends Shape>(name: string, shape: S) =>
  section(name, { replicas: array(uint16), messages: array(shape) })

/** Replicas are given their numbers. */
export const names = section('names', { names: array({ replica: uint16, name: string }) })

export const voteRequests = messages('voteRequests', {
  epoch: int32,
  preVote: bool,
  transfer: bool,
  lastEpoch: int32,
  endPosition: int64,
})
export const voteReplies = messages('voteReplies', { epoch: int32, preVote: bool, granted: bool })
export const appends = messages('appends', {
  epoch: int32,
  from: int64,
  fromEpoch: int32,
  attempt: int32,
  highWatermark: int64,
  runs: array({ epoch: int32, until: int64 }),
  marks: array({
    kind: int8,
    position: int64,
    offset: int64,
    epoch: int32,
    /** Of an epoch start. */
    leaderId: int32.or(-1),
    /** Of a log start. */
    logStart: int64.or(-1),
    /** Of voters. */
    voters: array(int32).or([]),
    outgoing: array(int32).or([]),
    disks: array(string).or([]),
  }),
  /** Bytes of the frame's payload that are its batches. */
  batchesBytes: int32,
})
export const appendeds = messages('appendeds', { epoch: int32, matched: int64, durable: int64 })
export const conflicts = messages('conflicts', {
  epoch: int32,
  from: int64,
  position: int64,
  positionEpoch: int32,
  attempt: int32,
})
export const heartbeats = messages('heartbeats', {
  epoch: int32,
  sentMs: float64,
  highWatermark: int64,
  session: uint32,
})
export const heartbeatReplies = messages('heartbeatReplies', {
  epoch: int32,
  sentMs: float64,
  matched: int64,
  durable: int64,
  session: uint32,
})
export const advances = messages('advances', { epoch: int32, highWatermark: int64 })
export const timeoutNows = messages('timeoutNows', { epoch: int32 })
export const fenceds = messages('fenceds', { epoch: int32 })

export const installs = messages('installs', {
  epoch: int32,
  position: int64,
  positionEpoch: int32,
  offset: int64,
  /** Of the log, as users see it: `offset`, or inside the batch that begins there. */
  start: int64,
  membership: struct({
    position: int64,
    voters: array(int32),
    outgoing: array(int32),
    disks: array(string),
  }),
  size: int64,
  crc: uint32,
  at: int64,
  piece: bytes,
})
export const installeds = messages('installeds', { epoch: int32, position: int64, received: int64 })

export const sectionKinds = {
  names: 1,
  /** All numbers are free again. No fields. */
  forget: 2,
  voteRequest: 10,
  voteReply: 11,
  append: 12,
  appended: 13,
  conflict: 14,
  heartbeat: 15,
  heartbeatReply: 16,
  advance: 17,
  timeoutNow: 18,
  fenced: 19,
  install: 20,
  installed: 21,
} as const

export const markKinds = { epochStart: 1, voters: 2, logStart: 3 } as const
