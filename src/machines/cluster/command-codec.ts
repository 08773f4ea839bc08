/** Commands and replies of the controller as bytes: brokers forward what they are asked to the one that leads. */
import type { Reader } from '../../base/bytes.ts'
import { array, bool, int32, int64, layout, string, uuid } from '../../protocol/notation.ts'
import { changeCodec, toBytes } from '../change-codec.ts'
import {
  brokerShape,
  configShape,
  configsOf,
  pairsOf,
  placementShape,
  placementsOf,
  replicasOf,
} from './changes.ts'
import type { ClusterCommand, ClusterReplies } from './commands.ts'
import type { ReplicaAssignment } from './placement.ts'

const v0 = { versions: [0, 0], flexible: 0 } as const
type Fields<T extends ClusterCommand['type']> = Omit<Extract<ClusterCommand, { type: T }>, 'type'>
type Pairs = { name: string; value: string }[]
type Replicas = { replicas: number[] }[]

const same = <T>(fields: T): T => fields
const setToWire = <T extends { readonly set: ReadonlyMap<string, string> }>(command: T) => ({
  ...command,
  set: pairsOf(command.set),
})
const setFromWire = <T>(fields: Omit<T, 'set'> & { set: Pairs }) => ({
  ...fields,
  set: configsOf(fields.set),
})
const assignmentToWire = (assignment: ReplicaAssignment | null) =>
  assignment === null ? null : replicasOf(assignment)
const assignmentFromWire = (wired: Replicas | null) => (wired === null ? null : placementsOf(wired))

const configChange = {
  set: configShape,
  remove: array(string),
  replace: bool,
  validateOnly: bool,
} as const

const commands = changeCodec<Exclude<ClusterCommand, { type: 'idle' }>>({
  registerBroker: {
    kind: 1,
    layout: layout({ ...brokerShape, freshClusterId: string }, v0),
    toWire: same,
    fromWire: same,
  },
  createTopic: {
    kind: 2,
    layout: layout(
      {
        name: string,
        freshId: uuid,
        partitions: int32,
        replicationFactor: int32,
        assignment: placementShape.nullable,
        configs: configShape,
        validateOnly: bool,
        partitionsMax: int32,
        away: array(int32),
      },
      v0,
    ),
    toWire: (command) => ({
      ...command,
      partitions: command.partitions ?? -1,
      replicationFactor: command.replicationFactor ?? -1,
      assignment: assignmentToWire(command.assignment),
      configs: pairsOf(command.configs),
    }),
    fromWire: (
      fields: Omit<Fields<'createTopic'>, 'assignment' | 'configs'> & {
        assignment: Replicas | null
        configs: Pairs
        partitions: number
        replicationFactor: number
      },
    ) => ({
      ...fields,
      partitions: fields.partitions === -1 ? null : fields.partitions,
      replicationFactor: fields.replicationFactor === -1 ? null : fields.replicationFactor,
      assignment: assignmentFromWire(fields.assignment),
      configs: configsOf(fields.configs),
    }),
  },
  deleteTopic: { kind: 3, layout: layout({ id: uuid }, v0), toWire: same, fromWire: same },
  createPartitions: {
    kind: 4,
    layout: layout(
      {
        topic: string,
        count: int32,
        assignment: placementShape.nullable,
        validateOnly: bool,
        partitionsMax: int32,
        away: array(int32),
      },
      v0,
    ),
    toWire: (command) => ({
      ...command,
      assignment: assignmentToWire(command.assignment),
    }),
    fromWire: (fields: Omit<Fields<'createPartitions'>, 'assignment'> & { assignment: Replicas | null }) => ({
      ...fields,
      assignment: assignmentFromWire(fields.assignment),
    }),
  },
  alterTopicConfigs: {
    kind: 5,
    layout: layout({ topic: string, ...configChange }, v0),
    toWire: setToWire,
    fromWire: setFromWire<Fields<'alterTopicConfigs'>>,
  },
  alterBrokerConfigs: {
    kind: 6,
    layout: layout({ broker: string, ...configChange }, v0),
    toWire: setToWire,
    fromWire: setFromWire<Fields<'alterBrokerConfigs'>>,
  },
  allocateProducerIds: { kind: 7, layout: layout({ count: int32 }, v0), toWire: same, fromWire: same },
  reassignPartition: {
    kind: 8,
    layout: layout({ topicId: uuid, index: int32, replicas: array(int32).nullable }, v0),
    toWire: same,
    fromWire: same,
  },
  finishMove: {
    kind: 9,
    layout: layout({ topicId: uuid, index: int32, moveId: int64 }, v0),
    toWire: same,
    fromWire: same,
  },
  retireBroker: { kind: 10, layout: layout({ id: int32 }, v0), toWire: same, fromWire: same },
})

export type ForwardedCommand = Exclude<ClusterCommand, { type: 'idle' }>

const keyBytes = 4

export function encodeCommand(command: ForwardedCommand): Buffer {
  const { key, value } = commands.encode(command)
  return Buffer.concat([key, value])
}

/** @throws Faulted for a command that this release does not know */
export function decodeCommand(bytes: Buffer): ForwardedCommand {
  return commands.decode(bytes.subarray(0, keyBytes), bytes.subarray(keyBytes))
}

const nothing = layout({}, v0)
const replies = {
  registerBroker: layout({ clusterId: string }, v0),
  createTopic: layout({ name: string, id: uuid, partitions: int32, replicationFactor: int32 }, v0),
  deleteTopic: layout({ name: string }, v0),
  createPartitions: layout({ count: int32 }, v0),
  alterTopicConfigs: nothing,
  alterBrokerConfigs: nothing,
  allocateProducerIds: layout({ first: int64, count: int32 }, v0),
  reassignPartition: nothing,
  finishMove: nothing,
  retireBroker: nothing,
} as const

export function encodeReply<T extends ForwardedCommand['type']>(type: T, reply: ClusterReplies[T]): Buffer {
  return toBytes(replies[type], reply ?? {})
}

/** @throws Malformed */
export function decodeReply<T extends ForwardedCommand['type']>(type: T, reader: Reader): ClusterReplies[T] {
  const layoutOf = replies[type]
  const fields = layoutOf.decode(reader, 0)
  reader.expectEnd(type)
  return (layoutOf === nothing ? null : fields) as unknown as ClusterReplies[T]
}
