/** Settings of brokers that were changed while they run: those of all, then those of this one. */
import { Refused } from '../base/errors.ts'
import { isSettingName, type Settings } from '../config/settings.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { BrokerEvent } from './broker.ts'

export function applyBrokerConfigs(
  settings: Settings,
  image: Readonly<ClusterState>,
  nodeId: number,
  onEvent: (event: BrokerEvent) => void,
): void {
  const sources = [
    ['dynamic-default', image.brokerConfigs.get('')],
    ['dynamic', image.brokerConfigs.get(String(nodeId))],
  ] as const
  for (const [source, configs] of sources) {
    settings.forget(source)
    for (const [name, value] of configs ?? []) {
      try {
        if (isSettingName(name)) settings.set(name, value, source)
      } catch (error) {
        // Another release took it. The broker must start, else nobody could set it right.
        if (!(error instanceof Refused)) throw error
        onEvent({
          level: 'warn',
          event: 'config.ignored',
          message: `${error.detail}; it has no effect`,
          name,
        })
      }
    }
  }
}
