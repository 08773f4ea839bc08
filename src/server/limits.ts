/** The bounds of the listener, read from the settings once, at start. Sizes in bytes, times in ms. */
import type { Settings } from '../config/settings.ts'

export interface Limits {
  readonly frameBytesMax: number
  readonly frameTimeoutMs: number
  /** Pipelined requests under way: of one connection, and over all beyond the first of each. */
  readonly connectionRequestsMax: number
  readonly pipelinedRequestsMax: number
  /** In one turn of the event loop: how long requests are started, and of one connection how many, and how much is read. */
  readonly turnMsMax: number
  readonly connectionTurnRequestsMax: number
  readonly connectionTurnBytesMax: number
  readonly requestBytesMax: number
  readonly connectionOutboundBytesMax: number
  readonly outboundBytesMax: number
  readonly stalledMs: number
  readonly idleMs: number
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
}

export function limitsOf(settings: Settings): Limits {
  return {
    frameBytesMax: settings.get('socket.request.max.bytes'),
    frameTimeoutMs: settings.get('lograft.frame.timeout.ms'),
    connectionRequestsMax: settings.get('lograft.connection.requests.max'),
    pipelinedRequestsMax: settings.get('queued.max.requests'),
    turnMsMax: settings.get('lograft.turn.ms.max'),
    connectionTurnRequestsMax: settings.get('lograft.connection.turn.requests.max'),
    connectionTurnBytesMax: settings.get('lograft.connection.turn.bytes.max'),
    requestBytesMax: settings.get('lograft.requests.bytes.max'),
    connectionOutboundBytesMax: settings.get('lograft.connection.outbound.bytes.max'),
    outboundBytesMax: settings.get('lograft.responses.bytes.max'),
    stalledMs: settings.get('lograft.connection.stalled.ms'),
    idleMs: settings.get('connections.max.idle.ms'),
    connectionsMax: settings.get('max.connections'),
    connectionsPerAddressMax: settings.get('max.connections.per.ip'),
  }
}
