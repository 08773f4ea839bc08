/** The whole cluster state at an offset. The first two bytes are the version of the layout. */
import { Reader } from '../../base/bytes.ts'
import { Faulted } from '../../base/errors.ts'
import { array, int32, int64, layout, string, struct } from '../../protocol/notation.ts'
import { toBytes } from '../change-codec.ts'
import {
  brokerShape,
  configShape,
  configsOf,
  pairsOf,
  placementsOf,
  replicasOf,
  topicShape,
} from './changes.ts'
import { type ClusterState, emptyClusterState } from './state.ts'

const imageLayout = layout(
  {
    clusterId: string,
    brokers: array(brokerShape),
    topics: array(
      struct({
        ...topicShape,
        moves: array(struct({ index: int32, id: int64, from: array(int32), to: array(int32) })),
        origins: array(struct({ index: int32, voters: array(int32), kept: array(int32) })),
      }),
    ),
    brokerConfigs: array(struct({ broker: string, configs: configShape })),
    nextProducerId: int64,
    nextMoveId: int64,
    retired: array(int32),
  },
  { versions: [0, 0], flexible: 0, name: 'cluster image' },
)

export const clusterImage = {
  encode(state: Readonly<ClusterState>): Buffer {
    const version = Buffer.from([0, imageLayout.max])
    const body = toBytes(imageLayout, {
      clusterId: state.clusterId,
      brokers: [...state.brokers.values()],
      topics: [...state.topics.all()].map((topic) => ({
        ...topic,
        placements: replicasOf(topic.placements),
        configs: pairsOf(topic.configs),
        moves: [...topic.moves].map(([index, move]) => ({ index, ...move })),
        origins: [...topic.origins].map(([index, origin]) => ({ index, ...origin })),
      })),
      brokerConfigs: [...state.brokerConfigs].map(([broker, configs]) => ({
        broker,
        configs: pairsOf(configs),
      })),
      nextProducerId: state.nextProducerId,
      nextMoveId: state.nextMoveId,
      retired: [...state.retired],
    })
    return Buffer.concat([version, body])
  },

  /** @throws Faulted when a newer release wrote it */
  decode(image: Buffer): ClusterState {
    const version = image.readUInt16BE(0)
    if (version > imageLayout.max) {
      throw new Faulted('bytes', `read a cluster image of version ${version}: unknown to this release`)
    }
    const reader = new Reader(image.subarray(2))
    const fields = imageLayout.decode(reader, version)
    reader.expectEnd('cluster image')
    const state = emptyClusterState()
    state.clusterId = fields.clusterId
    for (const broker of fields.brokers) state.brokers.set(broker.id, broker)
    for (const { name, id, placements, configs, moves, origins } of fields.topics) {
      state.topics.add({
        name,
        id,
        placements: placementsOf(placements),
        configs: configsOf(configs),
        moves: new Map(moves.map(({ index, ...move }) => [index, move])),
        origins: new Map(origins.map(({ index, ...origin }) => [index, origin])),
      })
    }
    for (const { broker, configs } of fields.brokerConfigs)
      state.brokerConfigs.set(broker, configsOf(configs))
    state.nextProducerId = fields.nextProducerId
    state.nextMoveId = fields.nextMoveId
    for (const id of fields.retired) state.retired.add(id)
    return state
  },
}
