/** Settings of topics and brokers. */
import { DescribeConfigs } from '../src/protocol/apis/describe-configs.ts'
import { IncrementalAlterConfigs } from '../src/protocol/apis/incremental-alter-configs.ts'
import { outcomeOf, settleAll } from './admin-items.ts'
import type { Cluster, Target } from './cluster.ts'

/** A broker's name is its id; '' stands for what all brokers share. */
export interface ConfigResource {
  readonly type: 'topic' | 'broker'
  readonly name: string
}

export interface ConfigEntry {
  readonly name: string
  /** null when it is secret. */
  readonly value: string | null
  readonly isDefault: boolean
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly source: ConfigSource
}

const sources = [
  'unknown',
  'topic',
  'broker',
  'brokers',
  'static',
  'default',
  'broker-logger',
  'client',
  'group',
] as const
export type ConfigSource = (typeof sources)[number]

const resourceTypes = { topic: 2, broker: 4 } as const
const defaultSource = sources.indexOf('default')

export async function describeConfigs(
  cluster: Cluster,
  resource: ConfigResource,
  names: readonly string[] | null,
): Promise<ConfigEntry[]> {
  let entries: ConfigEntry[] = []
  await settleAll(cluster, `settings of ${resource.type} ${resource.name}`, [resource], async () => {
    const response = await cluster.request(targetOf(resource), DescribeConfigs, {
      resources: [
        {
          resourceType: resourceTypes[resource.type],
          resourceName: resource.name,
          configurationKeys: names,
        },
      ],
    })
    const [result] = response.results
    entries = (result?.configs ?? []).map((row) => ({
      name: row.name,
      value: row.value,
      isDefault: row.configSource === defaultSource,
      isReadOnly: row.readOnly,
      isSensitive: row.isSensitive,
      source: sources[row.configSource] ?? 'unknown',
    }))
    return [outcomeOf(resource, result, `${resource.type} ${resource.name}`)]
  })
  return entries
}

/** A value of null takes the setting back to its default. */
export async function alterConfigs(
  cluster: Cluster,
  resource: ConfigResource,
  changes: { readonly [name: string]: string | null },
  options: { validateOnly?: boolean },
): Promise<void> {
  await settleAll(cluster, `settings of ${resource.type} ${resource.name}`, [resource], async () => {
    const response = await cluster.request(targetOf(resource), IncrementalAlterConfigs, {
      resources: [
        {
          resourceType: resourceTypes[resource.type],
          resourceName: resource.name,
          configs: Object.entries(changes).map(([name, value]) => ({
            name,
            configOperation: value === null ? 1 : 0,
            value,
          })),
        },
      ],
      validateOnly: options.validateOnly ?? false,
    })
    return [outcomeOf(resource, response.responses[0], `${resource.type} ${resource.name}`)]
  })
}

/** One broker's settings are known to that broker. */
function targetOf(resource: ConfigResource): Target {
  return resource.type === 'broker' && resource.name !== '' ? Number(resource.name) : 'any'
}
