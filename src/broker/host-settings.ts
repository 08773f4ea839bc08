/** How the members of quorums on this broker behave, as the settings have it, and how loud they are. */
import type { Settings } from '../config/settings.ts'
import type { HostSettings } from '../replica/replica-host.ts'
import type { BrokerEvent } from './broker.ts'
import { clusterLogName } from './cluster-log.ts'

export function hostSettings(settings: Settings): HostSettings {
  const slowMs = settings.get('lograft.slow.leader.ms')
  const windowMs = settings.get('lograft.slow.leader.window.ms')
  const windows = settings.get('lograft.slow.leader.windows')
  return {
    ...(slowMs === 0 ? {} : { slowLeader: { slowMs, windowMs, windows } }),
    tickMs: settings.get('lograft.tick.ms'),
    electionTimeoutMs: settings.get('lograft.election.timeout.ms'),
    heartbeatMs: settings.get('lograft.heartbeat.ms'),
    syncsInFlightMax: settings.get('lograft.syncs.in.flight.max'),
  }
}

/** Roles of thousands of partitions change when a broker comes or goes: see partitions.led for all in one. */
export function quietly(event: BrokerEvent): BrokerEvent {
  const isOne = event.event === 'replica.role' && event.replica !== clusterLogName
  return isOne ? { ...event, level: 'debug' } : event
}
