/** Answers of the handshake and of Metadata, read by hand from Kafka's message definitions. */
import { type In, out, type Wire } from './raw.ts'

export interface ApiVersions {
  errorCode: number
  ranges: Map<number, [number, number]>
}

export const software = (name = 'lograft-wire', version = '1.0'): Buffer =>
  out().compactString(name).compactString(version).uvarint(0).done()

export function apiVersions(answer: In, version: number): ApiVersions {
  const errorCode = answer.int16()
  const range = (): [number, [number, number]] => {
    const entry: [number, [number, number]] = [answer.int16(), [answer.int16(), answer.int16()]]
    if (version >= 3) answer.tags()
    return entry
  }
  const ranges = new Map(version >= 3 ? answer.compactArray(range) : answer.array(range))
  if (version >= 1) answer.int32()
  if (version >= 3) answer.tags()
  return { errorCode, ranges }
}

export async function askApiVersions(wire: Wire, version: number): Promise<ApiVersions & { left: number }> {
  const body = version >= 3 ? software() : Buffer.alloc(0)
  const answer = await wire.ask(18, version, body, version >= 3 ? 2 : 1)
  return { ...apiVersions(answer, version), left: answer.left }
}

/** The versions that clients have been seen to send: ranges must hold them, without holes. */

export interface Metadata {
  brokers: { id: number; address: string }[]
  controller: number
  topics: { errorCode: number; name: string | null; partitions: { errorCode: number; leader: number }[] }[]
}

export async function metadata(
  wire: Wire,
  version: 0 | 1 | 4,
  names: string[] | null,
  autoCreate = true,
): Promise<Metadata> {
  const body = out().int32(names === null ? -1 : names.length)
  for (const name of names ?? []) body.string(name)
  if (version >= 4) body.int8(autoCreate ? 1 : 0)
  return readMetadata(await wire.ask(3, version, body.done()), version)
}

export function readMetadata(answer: In, version: 0 | 1 | 4): Metadata {
  if (version >= 3) answer.int32()
  const brokers = answer.array(() => {
    const found = { id: answer.int32(), address: `${answer.string()}:${answer.int32()}` }
    if (version >= 1) answer.string()
    return found
  })
  if (version >= 2) answer.string()
  const controller = version >= 1 ? answer.int32() : -1
  const topics = answer.array(() => {
    const [errorCode, name] = [answer.int16(), answer.string()]
    if (version >= 1) answer.int8()
    const partitions = answer.array(() => {
      const partition = { errorCode: answer.int16(), index: answer.int32(), leader: answer.int32() }
      answer.array(() => answer.int32())
      answer.array(() => answer.int32())
      return partition
    })
    return { errorCode, name, partitions }
  })
  return { brokers, controller, topics }
}

export const NO_ID = Buffer.alloc(16)

/** Topic id by Metadata v12. */
export async function topicOf(
  wire: Wire,
  topic: string,
): Promise<{ topicId: Buffer; clusterId: string | null }> {
  const body = out().uvarint(2).raw(NO_ID).compactString(topic).uvarint(0).int8(0).int8(0).uvarint(0).done()
  const answer = await wire.ask(3, 12, body, 2)
  answer.int32()
  answer.compactArray(() => {
    answer.int32()
    answer.compactString()
    answer.int32()
    answer.compactString()
    answer.tags()
  })
  const clusterId = answer.compactString()
  answer.int32()
  answer.uvarint()
  answer.int16()
  answer.compactString()
  return { topicId: answer.take(16), clusterId }
}

/** Another Kafka shows what it was asked for a moment later. */
export async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  for (let n = 0; n < 100; n++) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}
