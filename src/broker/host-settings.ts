/** How the members of quorums on this broker behave, as the settings have it. */
import type { Settings } from '../config/settings.ts'
import type { HostSettings } from '../replica/replica-host.ts'

export function hostSettings(settings: Settings): HostSettings {
  return {
    tickMs: settings.get('lograft.tick.ms'),
    electionTimeoutMs: settings.get('lograft.election.timeout.ms'),
    heartbeatMs: settings.get('lograft.heartbeat.ms'),
    syncsInFlightMax: settings.get('lograft.syncs.in.flight.max'),
  }
}
