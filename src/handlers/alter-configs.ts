/** AlterConfigs (old: what is not named goes back to its default) and IncrementalAlterConfigs (KIP-339). */
import { Refused } from '../base/errors.ts'
import { isInternalTopic } from '../broker/internal-topics.ts'
import { isSettingName } from '../config/settings.ts'
import { table, topicSettingDefaults } from '../config/table.ts'
import { AlterConfigs } from '../protocol/apis/alter-configs.ts'
import { IncrementalAlterConfigs } from '../protocol/apis/incremental-alter-configs.ts'
import { brokerOf, resourceType } from './config-resources.ts'
import { type Context, handler } from './handler.ts'
import { noError, refusedAsError } from './refusals.ts'

interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}
interface Alteration {
  readonly set: ReadonlyMap<string, string>
  readonly remove: readonly string[]
  readonly replace: boolean
  readonly validateOnly: boolean
}

export const alterConfigs = handler(AlterConfigs, async (request, context) => {
  const responses = await Promise.all(
    request.resources.map((resource) =>
      alter(resource, request.resources, context, () => ({
        ...operationsOf(
          resource.configs.map((config) => ({ ...config, configOperation: operation.set })),
          () => '',
        ),
        replace: true,
        validateOnly: request.validateOnly,
      })),
    ),
  )
  return { responses }
})

export const incrementalAlterConfigs = handler(IncrementalAlterConfigs, async (request, context) => {
  const responses = await Promise.all(
    request.resources.map((resource) =>
      alter(resource, request.resources, context, () => ({
        ...operationsOf(resource.configs, (name) => currentOf(resource, name, context)),
        replace: false,
        validateOnly: request.validateOnly,
      })),
    ),
  )
  return { responses }
})

async function alter(
  resource: Resource,
  all: readonly Resource[],
  { broker }: Context,
  alteration: () => Alteration,
) {
  const { resourceType: type, resourceName } = resource
  const answer = { resourceType: type, resourceName }
  return await refusedAsError(
    async () => {
      const times = all.filter(
        (other) => other.resourceType === type && other.resourceName === resourceName,
      ).length
      if (times > 1)
        throw new Refused('INVALID_REQUEST', `'${resourceName}' is named more than once in this request`)
      if (type === resourceType.topic) {
        if (isInternalTopic(resourceName)) {
          throw new Refused('INVALID_REQUEST', `topic '${resourceName}' is internal: its settings are fixed`)
        }
        await broker.controller.alterTopicConfigs({ topic: resourceName, ...alteration() })
      } else {
        await broker.controller.alterBrokerConfigs({ broker: brokerOf(resource, broker), ...alteration() })
      }
      return { ...answer, ...noError }
    },
    (error) => ({ ...answer, ...error }),
  )
}

const operation = { set: 0, delete: 1, append: 2, subtract: 3 } as const

interface Operation {
  readonly name: string
  readonly configOperation: number
  readonly value: string | null
}

function operationsOf(configs: readonly Operation[], current: (name: string) => string) {
  const set = new Map<string, string>()
  const remove: string[] = []
  const seen = new Set<string>()
  for (const { name, configOperation, value } of configs) {
    if (seen.has(name)) throw new Refused('INVALID_REQUEST', `setting '${name}' is named more than once`)
    seen.add(name)
    switch (configOperation) {
      case operation.set:
        set.set(name, givenValue(name, value))
        break
      case operation.delete:
        remove.push(name)
        break
      case operation.append:
      case operation.subtract: {
        if (!isList(name))
          throw new Refused('INVALID_CONFIG', `setting '${name}' is not a list: set it or delete it`)
        const items = new Set(itemsOf(current(name)))
        for (const item of itemsOf(givenValue(name, value))) {
          if (configOperation === operation.append) items.add(item)
          else items.delete(item)
        }
        set.set(name, [...items].join(','))
        break
      }
      default:
        throw new Refused('INVALID_REQUEST', `there is no config operation ${configOperation}`)
    }
  }
  return { set, remove }
}

const itemsOf = (list: string) => list.split(',').flatMap((item) => item.trim() || [])

/** The value in force, which appending and subtracting start from. */
function currentOf(resource: Resource, name: string, { broker }: Context): string {
  const brokerName = topicSettingDefaults.get(name) ?? name
  const inherited = isSettingName(brokerName) ? broker.settings.describe(brokerName).text : ''
  if (resource.resourceType !== resourceType.topic) return inherited
  return broker.image.topics.byName(resource.resourceName)?.configs.get(name) ?? inherited
}

function givenValue(name: string, value: string | null): string {
  if (value === null) throw new Refused('INVALID_REQUEST', `setting '${name}' needs a value`)
  return value
}

function isList(name: string): boolean {
  const broker = topicSettingDefaults.get(name) ?? name
  return isSettingName(broker) && table[broker].type === 'list'
}
