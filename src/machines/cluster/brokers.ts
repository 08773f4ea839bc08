/** Decisions about brokers: who they are, their dynamic settings, the producer ids they hand out. */
import { Refused } from '../../base/errors.ts'
import { isSettingName, parse } from '../../config/settings.ts'
import { table } from '../../config/table.ts'
import type { ClusterChange } from './changes.ts'
import type { ClusterCommand } from './commands.ts'
import type { ClusterState } from './state.ts'

type Command<T extends ClusterCommand['type']> = Extract<ClusterCommand, { type: T }>

export function registerBroker(state: Readonly<ClusterState>, command: Command<'registerBroker'>) {
  const known = state.brokers.get(command.id)
  if (known !== undefined && known.diskId !== command.diskId) {
    throw new Refused(
      'DUPLICATE_BROKER_REGISTRATION',
      `broker ${command.id} is registered with another disk (${known.diskId}); a broker that lost its data needs a new id`,
    )
  }
  const changes: ClusterChange[] = []
  const clusterId = state.clusterId === '' ? command.freshClusterId : state.clusterId
  if (state.clusterId === '') changes.push({ type: 'clusterFormed', clusterId })
  const { id, diskId, host, port, rack } = command
  if (known === undefined || known.host !== host || known.port !== port || known.rack !== rack) {
    changes.push({ type: 'brokerRegistered', id, diskId, host, port, rack })
  }
  return { changes, reply: { clusterId } }
}

export function alterBrokerConfigs(state: Readonly<ClusterState>, command: Command<'alterBrokerConfigs'>) {
  for (const name of [...command.set.keys(), ...command.remove]) {
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
