/** Decisions about brokers: who they are, their dynamic settings, the producer ids they hand out. */
import { Refused } from '../../base/errors.ts'
import { isSettingName, parse } from '../../config/settings.ts'
import { table } from '../../config/table.ts'
import type { ClusterChange } from './changes.ts'
import type { ClusterCommand } from './commands.ts'
import type { ClusterState, RegisteredBroker } from './state.ts'

type Command<T extends ClusterCommand['type']> = Extract<ClusterCommand, { type: T }>

export function registerBroker(state: Readonly<ClusterState>, command: Command<'registerBroker'>) {
  const { type, freshClusterId, ...broker } = command
  const { id, diskId } = broker
  const known = state.brokers.get(id)
  if (known !== undefined && known.diskId !== diskId) {
    throw new Refused(
      'DUPLICATE_BROKER_REGISTRATION',
      `broker ${id} is registered with another disk (${known.diskId}); a broker that lost its data needs a new id`,
    )
  }
  if (state.retired.has(id)) {
    throw new Refused(
      'DUPLICATE_BROKER_REGISTRATION',
      `broker ${id} was taken out of this cluster: start with an empty data folder and an id that was never used`,
    )
  }
  const changes: ClusterChange[] = []
  const clusterId = state.clusterId === '' ? freshClusterId : state.clusterId
  if (state.clusterId === '') changes.push({ type: 'clusterFormed', clusterId })
  if (known === undefined || !isSame(known, broker)) changes.push({ type: 'brokerRegistered', ...broker })
  return { changes, reply: { clusterId } }
}

function isSame(known: RegisteredBroker, broker: RegisteredBroker): boolean {
  return (
    known.host === broker.host &&
    known.port === broker.port &&
    known.rack === broker.rack &&
    known.peerHost === broker.peerHost &&
    known.peerPort === broker.peerPort
  )
}

/** Takes a broker out for ever. Its replicas must have been moved before. */
export function retireBroker(state: Readonly<ClusterState>, command: Command<'retireBroker'>) {
  const { id } = command
  if (!state.brokers.has(id)) {
    throw new Refused('BROKER_ID_NOT_REGISTERED', `broker ${id} is not registered`)
  }
  for (const topic of state.topics.all()) {
    const index = topic.placements.findIndex((replicas) => replicas.includes(id))
    if (index < 0) continue
    throw new Refused(
      'INVALID_REQUEST',
      `broker ${id} still holds replicas (${topic.name}-${index}): reassign its partitions first`,
    )
  }
  return { changes: [{ type: 'brokerRetired' as const, id }], reply: null }
}

export function alterBrokerConfigs(state: Readonly<ClusterState>, command: Command<'alterBrokerConfigs'>) {
  for (const name of [...command.set.keys(), ...command.remove]) {
    // Kafka's tools remove the throttles of every broker when a reassignment is done, set or not.
    if (!isSettingName(name) && !command.set.has(name)) continue
    if (!isSettingName(name))
      throw new Refused('INVALID_CONFIG', `setting '${name}' is not a setting of brokers`)
    if (table[name].scope !== 'dynamic') {
      throw new Refused(
        'INVALID_REQUEST',
        `setting '${name}' is read at start only: set it in the broker's own configuration`,
      )
    }
  }
  for (const [name, value] of command.set) if (isSettingName(name)) parse(name, table[name], value)
  const configs = new Map(command.replace ? [] : state.brokerConfigs.get(command.broker))
  for (const name of command.remove) configs.delete(name)
  for (const [name, value] of command.set) configs.set(name, value)
  const change: ClusterChange = { type: 'brokerConfigsChanged', broker: command.broker, configs }
  return { changes: command.validateOnly ? [] : [change], reply: null }
}

/**
 * A block of ids that nobody else will ever hand out; what is left of a block when its broker stops is lost, which is fine:
 * there are 2^53.
 */
export function allocateProducerIds(state: Readonly<ClusterState>, command: Command<'allocateProducerIds'>) {
  const first = state.nextProducerId
  const change: ClusterChange = { type: 'producerIdsAllocated', next: first + command.count }
  return { changes: [change], reply: { first, count: command.count } }
}
