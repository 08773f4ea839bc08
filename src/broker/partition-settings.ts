/** What the settings say to logs and replicas: each partition's, and what all of a broker share. */
import type { Settings } from '../config/settings.ts'
import type { TopicSettings } from '../config/topic-settings.ts'
import type { Clock } from '../io/world.ts'
import type { LogSettings } from '../log/log.ts'
import { WritePace } from '../log/write-pace.ts'
import type { ReplicaSettings } from '../replica/replica.ts'

export function logSettings(topic: TopicSettings, settings: Settings): LogSettings {
  return {
    segmentBytesMax: topic.segmentBytes,
    segmentMs: topic.segmentMs,
    indexIntervalBytes: topic.indexIntervalBytes,
    indexBytesMax: topic.indexBytesMax,
    expandedBytesMax: settings.get('lograft.batch.expanded.bytes.max'),
    producerExpirationMs: settings.get('producer.id.expiration.ms'),
    producersMax: settings.get('lograft.producers.max'),
  }
}

export function replicaSettings(topic: TopicSettings, settings: Settings): ReplicaSettings {
  return {
    flushMessages: topic.flushMessages,
    flushMs: topic.flushMs,
    uncommittedBytesMax: settings.get('lograft.uncommitted.bytes.max'),
    minInsyncReplicas: topic.minInsyncReplicas,
  }
}

/** For all logs of the broker. */
export function writePace(settings: Settings, clock: Clock): WritePace {
  return new WritePace({
    clock,
    bytesMin: settings.get('lograft.write.leave.bytes.min'),
    slowMs: settings.get('lograft.write.slow.ms'),
    shadowMs: settings.get('lograft.write.shadow.ms'),
    shadowMaxMs: settings.get('lograft.write.shadow.max.ms'),
  })
}
