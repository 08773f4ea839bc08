/**
 * What one node holds: its image of the cluster, its partitions, the coordinators that lead here. Handlers see the broker
 * through this face.
 */
import type { Faulted } from '../base/errors.ts'
import type { Settings } from '../config/settings.ts'
import type { World } from '../io/world.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { QuorumDescription } from './cluster-quorum.ts'
import type { Controller } from './controller.ts'
import type { Coordinators } from './coordinators.ts'
import type { Leaders } from './leaders.ts'
import type { Partition } from './partition.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { Purgatory } from './purgatory.ts'

export interface Broker {
  readonly nodeId: number
  readonly clusterId: string
  /** The folder that holds all its data. */
  readonly dataDir: string
  readonly world: World
  /** The broker's own settings (file, environment, flags, then dynamic ones), see config/settings.ts. */
  readonly settings: Settings
  /** The cluster as committed by the controller and applied here. Read only. */
  readonly image: Readonly<ClusterState>
  /** Decisions of the cluster: topics, configs, producer ids. Each resolves when it is committed and in force here. */
  readonly controller: Controller
  readonly coordinators: Coordinators
  readonly purgatory: Purgatory
  /** Producer ids out of this broker's own block. */
  readonly producerIds: ProducerIds
  /** The partition when this broker hosts it, else undefined (unknown, deleted, or elsewhere). */
  partition(topicId: string, index: number): Partition | undefined
  /** Why a partition that should be here serves nobody: its disk failed, or its log is damaged. */
  fault(topicId: string, index: number): Faulted | undefined
  /** Who leads partitions, here and elsewhere, as far as this broker has heard. */
  readonly leaders: Leaders
  /** Who leads the cluster; -1 while that is not known. */
  readonly controllerId: number
  /** The state of the cluster's own quorum. @throws Refused NOT_CONTROLLER while nobody leads it */
  describeQuorum(): Promise<QuorumDescription>
  /** Whether a broker can be reached from here. */
  isAlive(nodeId: number): boolean
  /** The address that clients are told for a broker. */
  endpoint(nodeId: number): { host: string; port: number } | undefined
  /** A structured event with a stable name, for the log and the metrics. */
  event(event: BrokerEvent): void
}

export interface BrokerEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Stable: 'log.tail.cut', 'connection.refused', ... */
  readonly event: string
  readonly message: string
  readonly [detail: string]: unknown
}
