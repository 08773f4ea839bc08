/** How the members of quorums on this broker behave, as the settings have it. */
import type { Settings } from '../config/settings.ts'
import type { HostSettings } from '../replica/replica-host.ts'

export function hostSettings(settings: Settings): HostSettings {
  const slowMs = settings.get('lograft.slow.leader.ms')
  const windowMs = settings.get('lograft.slow.leader.window.ms')
  const windows = settings.get('lograft.slow.leader.windows')
  return {
    ...(slowMs === 0 ? {} : { slowLeader: { slowMs, windowMs, windows } }),
    tickMs: settings.get('lograft.tick.ms'),
    electionTimeoutMs: settings.get('lograft.election.timeout.ms'),
    heartbeatMs: settings.get('lograft.heartbeat.ms'),
    appendBytesMax: settings.get('lograft.append.bytes.max'),
    inflightBytesMax: settings.get('lograft.append.inflight.bytes.max'),
    inflightAppendsMax: settings.get('lograft.appends.in.flight.max'),
    syncsInFlightMax: settings.get('lograft.syncs.in.flight.max'),
  }
}
