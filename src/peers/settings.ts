/** The bounds of what brokers say to each other, read from the settings once, at start. Sizes in bytes, times in ms. */
import type { Settings } from '../config/settings.ts'

export interface PeerSettings {
  /** From the first attempt until the other side has shown who it is; for both sides. */
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly backoffMs: number
  readonly backoffMaxMs: number
  readonly frameBytesMax: number
  /** Of each lane, to one peer. */
  readonly dataQueueBytesMax: number
  readonly controlQueueBytesMax: number
  /** Unanswered, to or from one peer. */
  readonly callsMax: number
  readonly connectionsMax: number
}

export function peerSettingsOf(settings: Settings): PeerSettings {
  return {
    connectTimeoutMs: settings.get('lograft.peer.connect.timeout.ms'),
    idleTimeoutMs: settings.get('lograft.peer.idle.timeout.ms'),
    backoffMs: settings.get('lograft.peer.backoff.ms'),
    backoffMaxMs: settings.get('lograft.peer.backoff.max.ms'),
    frameBytesMax: settings.get('lograft.peer.frame.bytes.max'),
    dataQueueBytesMax: settings.get('lograft.peer.data.queue.bytes.max'),
    controlQueueBytesMax: settings.get('lograft.peer.control.queue.bytes.max'),
    callsMax: settings.get('lograft.peer.calls.max'),
    connectionsMax: settings.get('lograft.peer.connections.max'),
  }
}
