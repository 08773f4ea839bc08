/**
 * What happens inside a client, told on channels of node:diagnostics_channel for metrics and traces. Nothing is made up for
 * a channel that nobody listens to.
 *
 *     import { subscribe } from 'node:diagnostics_channel'
 *     subscribe('lograft:client:truncated', (message) => alert(message))
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import type { KafkaError, Truncation } from './errors.ts'
import type { OffsetToCommit } from './offsets.ts'
import type { TopicPartition } from './partition.ts'

/** By the name of the channel without its prefix. Durations in ms. */
export interface ClientEvents {
  /** A connection is ready for requests. */
  connected: { clientId: string; address: string }
  /** A connection that was ready is gone. */
  disconnected: { clientId: string; address: string; reason: KafkaError }
  /** A request has its response, or has failed. */
  request: {
    clientId: string
    address: string
    api: string
    version: number
    durationMs: number
    error: KafkaError | null
  }
  /** A call goes on after an error that may pass. */
  retried: { clientId: string; what: string; failures: number; pauseMs: number; error: KafkaError }
  /** A batch is acknowledged (`error` null), or given up. `bytes` before compression. */
  produced: TopicPartition & { records: number; bytes: number; durationMs: number; error: KafkaError | null }
  /** A fetch brought something. `bytes` as compressed. */
  fetched: TopicPartition & { bytes: number; highWatermark: number; lag: number }
  assigned: { groupId: string; partitions: readonly TopicPartition[] }
  revoked: { groupId: string; partitions: readonly TopicPartition[]; isLost: boolean }
  committed: { groupId: string; memberId: string; offsets: readonly OffsetToCommit[] }
  truncated: Truncation
}

type Channels = {
  readonly [N in keyof ClientEvents]: Omit<Channel, 'publish'> & { publish(event: ClientEvents[N]): void }
}

export const channels: Channels = {
  connected: channel('lograft:client:connected'),
  disconnected: channel('lograft:client:disconnected'),
  request: channel('lograft:client:request'),
  retried: channel('lograft:client:retried'),
  produced: channel('lograft:client:produced'),
  fetched: channel('lograft:client:fetched'),
  assigned: channel('lograft:client:assigned'),
  revoked: channel('lograft:client:revoked'),
  committed: channel('lograft:client:committed'),
  truncated: channel('lograft:client:truncated'),
}
