/**
 * Frames of quorum messages, for one connection: the encoder at one end, the decoder at the other. Both count the same numbers for
 * replicas, so a frame that was encoded is either sent or the connection ends.
 */
import { Malformed, Reader, type Writer } from '../base/bytes.ts'
import { frameKinds } from '../protocol/peer/frame.ts'
import { names, replicaNumbers, sectionKinds } from '../protocol/peer/messages.ts'
import type { PeerMessage } from '../replica/outbox.ts'
import { beginFrame, endFrame, type Frame } from './frames.ts'
import { bulkBytes, type QuorumMessage, type Section, sectionByKind, sections } from './message-sections.ts'
import { placesSum } from './places.ts'

/** Of a frame; large enough that frames cost nothing beside them, small enough to wait for. */
const bulkBytesMax = 1_048_576
const messagesMax = 10_000

export class MessageEncoder {
  readonly #version: number
  readonly #numbers = new Map<string, number>()

  constructor(version: number) {
    this.#version = version
  }

  /** One frame, of the messages from `at` on; `next` is the first that it does not hold. */
  frame(all: readonly PeerMessage[], at = 0): { frame: Frame; next: number } {
    const { payload, next } = take(all, at)
    const messages = next - at === all.length ? all : all.slice(at, next)
    const writer = beginFrame(frameKinds.messages)
    writer.uint32(placesSum(payload, 0))
    const replicas = this.#number(writer, messages)
    for (let from = 0; from < messages.length; ) from = this.#writeSection(writer, messages, replicas, from)
    return { frame: endFrame(writer, payload), next }
  }

  /** The numbers of the messages' replicas; those that are new are written. */
  #number(writer: Writer, messages: readonly PeerMessage[]): number[] {
    const numbers = this.#numbers
    if (numbers.size + messages.length > replicaNumbers) {
      numbers.clear()
      writer.int8(sectionKinds.forget)
    }
    const fresh: { replica: number; name: string }[] = []
    const replicas = messages.map(({ replica: name }) => {
      const known = numbers.get(name)
      if (known !== undefined) return known
      const replica = numbers.size
      numbers.set(name, replica)
      fresh.push({ replica, name })
      return replica
    })
    if (fresh.length > 0) {
      writer.int8(sectionKinds.names)
      names.encode(writer, { names: fresh }, this.#version)
    }
    return replicas
  }

  /** Those of one kind that follow each other. Returns where the next begin. */
  #writeSection(
    writer: Writer,
    messages: readonly PeerMessage[],
    replicas: readonly number[],
    from: number,
  ): number {
    const type = messages[from]?.message.type
    const some: QuorumMessage[] = []
    let until = from
    for (
      let next = messages[until];
      next?.message.type === type && next !== undefined;
      next = messages[until]
    ) {
      some.push(next.message)
      until++
    }
    const section = sections[type as QuorumMessage['type']] as Section<QuorumMessage>
    writer.int8(section.kind)
    section.write(writer, this.#version, replicas.slice(from, until), some)
    return until
  }
}

/** What fits into a frame; one message at least. */
function take(all: readonly PeerMessage[], at: number): { payload: Buffer[]; next: number } {
  const payload: Buffer[] = []
  let bytes = 0
  let next = at
  for (; next < all.length && next - at < messagesMax; next++) {
    const { message } = all[next] as PeerMessage
    const size = bulkBytes(message)
    if (bytes > 0 && bytes + size > bulkBytesMax) break
    bytes += size
    if (message.type === 'append' && message.entries !== null) payload.push(...message.entries.batches)
  }
  return { payload, next }
}

export class MessageDecoder {
  readonly #version: number
  #names: string[] = []

  constructor(version: number) {
    this.#version = version
  }

  /** `head` stands after the kind of frame. In the order in which they were sent. @throws Malformed */
  messages(head: Reader, payload: Buffer): PeerMessage[] {
    const sum = head.uint32('sum of the places')
    if (placesSum([payload], 0) !== sum) throw new Malformed('batches whose places were damaged')
    const batches = new Reader(payload)
    const messages: PeerMessage[] = []
    while (head.remaining > 0) this.#readSection(head, batches, messages)
    batches.expectEnd('the batches of appends')
    return messages
  }

  #readSection(head: Reader, batches: Reader, into: PeerMessage[]): void {
    const kind = head.int8('kind of section')
    if (kind === sectionKinds.forget) {
      this.#names = []
      return
    }
    if (kind === sectionKinds.names) {
      for (const { replica, name } of names.decode(head, this.#version).names) {
        if (replica !== this.#names.length) throw new Malformed(`a replica's number out of order: ${replica}`)
        this.#names.push(name)
      }
      return
    }
    const section = sectionByKind.get(kind)
    if (section === undefined) throw new Malformed(`messages of unknown kind ${kind}`)
    const { replicas, messages } = section.read(head, this.#version, batches)
    for (const [index, message] of messages.entries()) {
      const replica = this.#names[replicas[index] ?? -1]
      if (replica === undefined) throw new Malformed(`a replica without a name: ${replicas[index]}`)
      into.push({ replica, message })
    }
  }
}
