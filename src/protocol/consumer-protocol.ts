/**
 * What consumers tell each other through the coordinator: the bytes of `metadata` in JoinGroup and of
 * `assignment` in SyncGroup when the protocol type is 'consumer'. The broker passes them on unread; clients
 * and tools read them.
 *
 * Both start with an int16 version. As in Kafka, a version that is not known yet is read as the newest that
 * is, and what follows is left alone. Some clients name version 1 and leave its fields out: such bytes are
 * read as what they hold.
 * @source KIP-54, KIP-429, KIP-792, KIP-881
 */
import { Malformed, Reader, Writer } from '../base/bytes.ts'
import {
  array,
  bytes,
  int32,
  type Layout,
  layout,
  type Shape,
  string,
  type ValueInput,
  type ValueOf,
} from './notation.ts'

const topicPartitions = array({ topic: string, partitions: array(int32) })

const subscription = layout(
  {
    topics: array(string),
    userData: bytes.nullable.or(null),
    ownedPartitions: topicPartitions.since(1).ignorable,
    generationId: int32.since(2).or(-1).ignorable,
    rackId: string.nullable.since(3).ignorable,
  },
  { versions: [0, 3], flexible: null, name: 'ConsumerProtocolSubscription' },
)
const assignment = layout(
  { assignedPartitions: topicPartitions, userData: bytes.nullable.or(null) },
  { versions: [0, 3], flexible: null, name: 'ConsumerProtocolAssignment' },
)

export type ConsumerProtocolSubscription = ValueOf<typeof subscription>
export type ConsumerProtocolAssignment = ValueOf<typeof assignment>

/** @throws Malformed */
export function decodeSubscription(metadata: Buffer): ConsumerProtocolSubscription {
  return decode(subscription, metadata)
}

/** @param version 0 to 3; versions before 1 know no owned partitions, before 3 no rack. */
export function encodeSubscription(value: ValueInput<typeof subscription>, version: number): Buffer {
  const writer = new Writer()
  writer.int16(version)
  subscription.encode(writer, value, version)
  return writer.toBuffer()
}

/** @throws Malformed */
export function decodeAssignment(bytes: Buffer): ConsumerProtocolAssignment {
  return decode(assignment, bytes)
}

/** @param version 0 to 3; all are the same. */
export function encodeAssignment(value: ValueInput<typeof assignment>, version: number): Buffer {
  const writer = new Writer()
  writer.int16(version)
  assignment.encode(writer, value, version)
  return writer.toBuffer()
}

function decode<S extends Shape>(layout: Layout<S>, buffer: Buffer): ValueOf<Layout<S>> {
  const reader = new Reader(buffer)
  const named = reader.int16('version')
  if (named < 0) reader.fail(`${named} as the`, 'version')
  const start = reader.position
  for (let version = Math.min(named, layout.max); ; version--) {
    try {
      reader.position = start
      return layout.decode(reader, version)
    } catch (error) {
      if (!(error instanceof Malformed) || version === layout.min) throw error
    }
  }
}
