/** The settings of a topic: its own configs over the broker's defaults. */

import { Refused } from '../base/errors.ts'
import { type Row, unlimited } from './row.ts'
import { parse, type Settings } from './settings.ts'
import { type SettingName, type SettingValue, table, topicSettingDefaults } from './table.ts'

/** In force for one topic. Sizes in bytes, times in ms; Infinity where Kafka says "no limit". */
export interface TopicSettings {
  readonly cleanupPolicy: string
  readonly flushMessages: number
  readonly flushMs: number
  readonly indexIntervalBytes: number
  readonly indexBytesMax: number
  readonly maxMessageBytes: number
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly minInsyncReplicas: number
  readonly retentionBytes: number
  readonly retentionMs: number
  readonly segmentBytes: number
  readonly segmentMs: number
}

/** Checks one config of a topic. @throws Refused INVALID_CONFIG naming the setting */
export function checkTopicConfig(name: string, value: string | null): void {
  const broker = topicSettingDefaults.get(name)
  if (broker === undefined)
    throw new Refused('INVALID_CONFIG', `setting '${name}' is not a setting of topics here`)
  if (value === null) throw new Refused('INVALID_CONFIG', `setting '${name}' needs a value`)
  parse(name, table[broker], value)
}

export function topicSettings(settings: Settings, configs: ReadonlyMap<string, string>): TopicSettings {
  const value = <N extends SettingName>(broker: N): SettingValue<N> => {
    const row = table[broker] as Row<unknown>
    const own = row.topic === undefined ? undefined : configs.get(row.topic)
    return (
      own === undefined ? settings.get(broker) : parse(row.topic ?? broker, row, own)
    ) as SettingValue<N>
  }
  const limit = (n: number) => (n === unlimited ? Number.POSITIVE_INFINITY : n)
  const orForever = (n: number) => (n < 0 ? Number.POSITIVE_INFINITY : limit(n))
  return {
    cleanupPolicy: value('log.cleanup.policy'),
    flushMessages: limit(value('log.flush.interval.messages')),
    flushMs: limit(value('log.flush.interval.ms')),
    indexIntervalBytes: value('log.index.interval.bytes'),
    indexBytesMax: value('log.index.size.max.bytes'),
    maxMessageBytes: value('message.max.bytes'),
    messageTimestampType:
      value('log.message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    messageTimestampBeforeMaxMs: limit(value('log.message.timestamp.before.max.ms')),
    messageTimestampAfterMaxMs: limit(value('log.message.timestamp.after.max.ms')),
    minInsyncReplicas: value('min.insync.replicas'),
    retentionBytes: orForever(value('log.retention.bytes')),
    retentionMs: orForever(value('log.retention.ms')),
    segmentBytes: value('log.segment.bytes'),
    segmentMs: limit(value('log.roll.ms')),
  }
}
