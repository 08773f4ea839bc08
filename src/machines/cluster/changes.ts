/** What the controller replicates. */
import { array, int32, int64, layout, string, uuid } from '../../protocol/notation.ts'
import { changeCodec } from '../change-codec.ts'
import type { ReplicaAssignment } from './placement.ts'

export type ClusterChange =
  | { readonly type: 'clusterFormed'; readonly clusterId: string }
  | {
      readonly type: 'brokerRegistered'
      readonly id: number
      readonly diskId: string
      readonly host: string
      readonly port: number
      readonly rack: string | null
      readonly peerHost: string | null
      readonly peerPort: number
    }
  | { readonly type: 'brokerRetired'; readonly id: number }
  | {
      readonly type: 'topicCreated'
      readonly name: string
      readonly id: string
      readonly placements: ReplicaAssignment
      readonly configs: ReadonlyMap<string, string>
    }
  | { readonly type: 'topicDeleted'; readonly id: string }
  | { readonly type: 'partitionsAdded'; readonly id: string; readonly placements: ReplicaAssignment }
  | {
      readonly type: 'topicConfigsChanged'
      readonly id: string
      readonly configs: ReadonlyMap<string, string>
    }
  | {
      readonly type: 'brokerConfigsChanged'
      readonly broker: string
      readonly configs: ReadonlyMap<string, string>
    }
  | { readonly type: 'producerIdsAllocated'; readonly next: number }
  | {
      readonly type: 'moveStarted'
      readonly topicId: string
      readonly index: number
      readonly id: number
      readonly from: readonly number[]
      readonly to: readonly number[]
    }
  | { readonly type: 'moveFinished'; readonly topicId: string; readonly index: number }

const v0 = { versions: [0, 0], flexible: 0 } as const

export const placementShape = array({ replicas: array(int32) })
export const configShape = array({ name: string, value: string })
export const brokerShape = {
  id: int32,
  diskId: uuid,
  host: string,
  port: int32,
  rack: string.nullable,
  peerHost: string.nullable,
  peerPort: int32,
} as const
export const topicShape = {
  name: string,
  id: uuid,
  placements: placementShape,
  configs: configShape,
} as const

type Wired<T> = { [K in keyof T]: T[K] }
type Pairs = { name: string; value: string }[]

export const pairsOf = (configs: ReadonlyMap<string, string>): Pairs =>
  [...configs].map(([name, value]) => ({ name, value }))
export const configsOf = (pairs: Pairs): Map<string, string> =>
  new Map(pairs.map(({ name, value }) => [name, value]))
export const replicasOf = (placements: ReplicaAssignment) => placements.map((replicas) => ({ replicas }))
export const placementsOf = (wired: { replicas: number[] }[]): ReplicaAssignment =>
  wired.map(({ replicas }) => replicas)

const same = <T>(fields: T): T => fields

export const clusterChanges = changeCodec<ClusterChange>({
  clusterFormed: { kind: 1, layout: layout({ clusterId: string }, v0), toWire: same, fromWire: same },
  brokerRegistered: { kind: 2, layout: layout(brokerShape, v0), toWire: same, fromWire: same },
  topicCreated: {
    kind: 3,
    layout: layout(topicShape, v0),
    toWire: (change) => ({
      ...change,
      placements: replicasOf(change.placements),
      configs: pairsOf(change.configs),
    }),
    fromWire: (
      fields: Wired<{ name: string; id: string; placements: { replicas: number[] }[]; configs: Pairs }>,
    ) => ({
      ...fields,
      placements: placementsOf(fields.placements),
      configs: configsOf(fields.configs),
    }),
  },
  topicDeleted: { kind: 4, layout: layout({ id: uuid }, v0), toWire: same, fromWire: same },
  partitionsAdded: {
    kind: 5,
    layout: layout({ id: uuid, placements: placementShape }, v0),
    toWire: (change) => ({ id: change.id, placements: replicasOf(change.placements) }),
    fromWire: (fields: { id: string; placements: { replicas: number[] }[] }) => ({
      id: fields.id,
      placements: placementsOf(fields.placements),
    }),
  },
  topicConfigsChanged: {
    kind: 6,
    layout: layout({ id: uuid, configs: configShape }, v0),
    toWire: (change) => ({ id: change.id, configs: pairsOf(change.configs) }),
    fromWire: (fields: { id: string; configs: Pairs }) => ({
      id: fields.id,
      configs: configsOf(fields.configs),
    }),
  },
  brokerConfigsChanged: {
    kind: 7,
    layout: layout({ broker: string, configs: configShape }, v0),
    toWire: (change) => ({ broker: change.broker, configs: pairsOf(change.configs) }),
    fromWire: (fields: { broker: string; configs: Pairs }) => ({
      broker: fields.broker,
      configs: configsOf(fields.configs),
    }),
  },
  producerIdsAllocated: { kind: 8, layout: layout({ next: int64 }, v0), toWire: same, fromWire: same },
  moveStarted: {
    kind: 9,
    layout: layout({ topicId: uuid, index: int32, id: int64, from: array(int32), to: array(int32) }, v0),
    toWire: same,
    fromWire: same,
  },
  moveFinished: {
    kind: 10,
    layout: layout({ topicId: uuid, index: int32 }, v0),
    toWire: same,
    fromWire: same,
  },
  brokerRetired: { kind: 11, layout: layout({ id: int32 }, v0), toWire: same, fromWire: same },
})
