/** The messages of the core as sections of a frame, and back: one row for each kind. */
import { Malformed, type Reader, type Writer } from '../base/bytes.ts'
import type { Mark, PlacedMark } from '../log/log.ts'
import type { ValueInput, ValueOf } from '../protocol/notation.ts'
import * as wire from '../protocol/peer/messages.ts'
import type {
  Advance,
  Append,
  Appended,
  Conflict,
  Fenced,
  Heartbeat,
  HeartbeatReply,
  Install,
  Installed,
  Message,
  TimeoutNow,
  VoteReply,
  VoteRequest,
} from '../raft/message.ts'
import type { Entries } from '../replica/entries.ts'

export type QuorumMessage = Message<Entries>
type MessageOf<T extends QuorumMessage['type']> = Extract<QuorumMessage, { type: T }>

/** Messages of one kind; `replicas[i]` is the number of whose `messages[i]` is. */
export interface Section<M> {
  readonly kind: number
  write(writer: Writer, version: number, replicas: readonly number[], messages: readonly M[]): void
  /** `payload`: the frame's; batches are taken from it in order. @throws Malformed */
  read(reader: Reader, version: number, payload: Reader): { replicas: readonly number[]; messages: M[] }
}

interface Columns<In, Out> {
  decode(reader: Reader, version: number): { replicas: number[]; messages: Out[] }
  encode(
    writer: Writer,
    value: { readonly replicas: readonly number[]; readonly messages: readonly In[] },
    version: number,
  ): void
}

/** Most messages have the fields of their layout, and are written as they are. */
function plain<M extends In, In, Out>(
  kind: number,
  layout: Columns<In, Out>,
  decode: (fields: Out) => M,
): Section<M> {
  return section<M, In, Out>(kind, layout, (messages) => messages, decode)
}

function section<M, In, Out>(
  kind: number,
  layout: Columns<In, Out>,
  encode: (messages: readonly M[]) => readonly In[],
  decode: (fields: Out, payload: Reader) => M,
): Section<M> {
  return {
    kind,
    write: (writer, version, replicas, messages) =>
      layout.encode(writer, { replicas, messages: encode(messages) }, version),
    read: (reader, version, payload) => {
      const { replicas, messages } = layout.decode(reader, version)
      if (replicas.length !== messages.length) reader.fail('another number of messages than of', 'replicas')
      return { replicas, messages: messages.map((fields) => decode(fields, payload)) }
    },
  }
}

const kinds = wire.sectionKinds

// Field by field: a spread costs ten times as much, and a broker reads thousands of heartbeats a second.
export const sections: { readonly [T in QuorumMessage['type']]: Section<MessageOf<T>> } = {
  voteRequest: plain(
    kinds.voteRequest,
    wire.voteRequests,
    (w): VoteRequest => ({
      type: 'voteRequest',
      epoch: w.epoch,
      preVote: w.preVote,
      transfer: w.transfer,
      lastEpoch: w.lastEpoch,
      endPosition: w.endPosition,
    }),
  ),
  voteReply: plain(
    kinds.voteReply,
    wire.voteReplies,
    (w): VoteReply => ({ type: 'voteReply', epoch: w.epoch, preVote: w.preVote, granted: w.granted }),
  ),
  append: section(kinds.append, wire.appends, (appends) => appends.map(appendFields), appendOf),
  appended: plain(
    kinds.appended,
    wire.appendeds,
    (w): Appended => ({ type: 'appended', epoch: w.epoch, matched: w.matched, durable: w.durable }),
  ),
  conflict: plain(
    kinds.conflict,
    wire.conflicts,
    (w): Conflict => ({
      type: 'conflict',
      epoch: w.epoch,
      from: w.from,
      position: w.position,
      positionEpoch: w.positionEpoch,
      attempt: w.attempt,
    }),
  ),
  heartbeat: plain(
    kinds.heartbeat,
    wire.heartbeats,
    (w): Heartbeat => ({
      type: 'heartbeat',
      epoch: w.epoch,
      sentMs: w.sentMs,
      highWatermark: w.highWatermark,
      session: w.session,
    }),
  ),
  heartbeatReply: plain(
    kinds.heartbeatReply,
    wire.heartbeatReplies,
    (w): HeartbeatReply => ({
      type: 'heartbeatReply',
      epoch: w.epoch,
      sentMs: w.sentMs,
      matched: w.matched,
      durable: w.durable,
      session: w.session,
    }),
  ),
  advance: plain(
    kinds.advance,
    wire.advances,
    (w): Advance => ({ type: 'advance', epoch: w.epoch, highWatermark: w.highWatermark }),
  ),
  timeoutNow: plain(
    kinds.timeoutNow,
    wire.timeoutNows,
    (w): TimeoutNow => ({ type: 'timeoutNow', epoch: w.epoch }),
  ),
  fenced: plain(kinds.fenced, wire.fenceds, (w): Fenced => ({ type: 'fenced', epoch: w.epoch })),
  install: plain(kinds.install, wire.installs, (w): Install => ({ type: 'install', ...w })),
  installed: plain(
    kinds.installed,
    wire.installeds,
    (w): Installed => ({ type: 'installed', epoch: w.epoch, position: w.position, received: w.received }),
  ),
}

/** By the number of their kind. */
export const sectionByKind: ReadonlyMap<number, Section<QuorumMessage>> = new Map(
  Object.values(sections).map((one) => [one.kind, one as Section<QuorumMessage>]),
)

type AppendIn = ValueInput<typeof wire.appends>['messages'][number]
type AppendOut = ValueOf<typeof wire.appends>['messages'][number]

/** Bytes of what makes a message large: the batches of an append, a piece of an image. 0 for all others. */
export function bulkBytes(message: QuorumMessage): number {
  if (message.type === 'install') return message.piece.length
  return message.type === 'append' ? batchesBytes(message) : 0
}

function batchesBytes({ entries }: Append<Entries>): number {
  let bytes = 0
  for (const { length } of entries?.batches ?? []) bytes += length
  return bytes
}

function appendFields(message: Append<Entries>): AppendIn {
  const { epoch, from, fromEpoch, attempt, highWatermark, runs, entries } = message
  return {
    epoch,
    from,
    fromEpoch,
    attempt,
    highWatermark,
    runs,
    marks: entries?.marks.map(markFields) ?? [],
    batchesBytes: batchesBytes(message),
  }
}

function appendOf({ marks, batchesBytes, ...fields }: AppendOut, payload: Reader): Append<Entries> {
  const batches = batchesBytes === 0 ? [] : [payload.take(batchesBytes, 'batches')]
  // Without runs there is nothing to append: see Append.
  const entries = fields.runs.length === 0 ? null : { marks: marks.map(markOf), batches }
  return { type: 'append', ...fields, entries }
}

type MarkIn = AppendIn['marks'][number]
type MarkOut = AppendOut['marks'][number]

function markFields({ mark, position, offset, epoch }: PlacedMark): MarkIn {
  const place = { position, offset, epoch, kind: wire.markKinds[mark.kind] }
  switch (mark.kind) {
    case 'epochStart':
      return { ...place, leaderId: mark.leaderId }
    case 'logStart':
      return { ...place, logStart: mark.offset }
    case 'voters':
      return { ...place, voters: mark.voters, outgoing: mark.outgoing, disks: mark.disks }
  }
}

function markOf({ kind, position, offset, epoch, ...fields }: MarkOut): PlacedMark {
  return { mark: markOfKind(kind, fields), position, offset, epoch }
}

function markOfKind(
  kind: number,
  fields: Pick<MarkOut, 'leaderId' | 'logStart' | 'voters' | 'outgoing' | 'disks'>,
): Mark {
  switch (kind) {
    case wire.markKinds.epochStart:
      return { kind: 'epochStart', leaderId: fields.leaderId }
    case wire.markKinds.logStart:
      return { kind: 'logStart', offset: fields.logStart }
    case wire.markKinds.voters:
      return { kind: 'voters', voters: fields.voters, outgoing: fields.outgoing, disks: fields.disks }
    default:
      throw new Malformed(`a mark of unknown kind ${kind}`)
  }
}
