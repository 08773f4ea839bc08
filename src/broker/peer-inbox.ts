/** What arrives from other brokers: for the replicas here; and their disks are remembered. */
import { Faulted } from '../base/errors.ts'
import type { Inbox } from '../peers/peer-network.ts'
import type { ReplicaHost } from '../replica/replica-host.ts'
import type { BrokerEvent } from './broker.ts'
import type { DataFolder } from './data-folder.ts'

export function peerInbox(
  host: ReplicaHost,
  folder: DataFolder,
  onEvent: (event: BrokerEvent) => void,
): Inbox {
  const remember = async (id: number, diskId: string): Promise<void> => {
    try {
      await folder.met(id, diskId)
    } catch (error) {
      if (!(error instanceof Faulted)) throw error
      onEvent({
        level: 'error',
        event: 'identity.unwritten',
        message: `the disk of broker ${id} could not be written down, and will be looked at anew after a restart: ${error.message}`,
        peer: id,
      })
    }
  }
  return {
    receive: (from, replica, message) => host.receive(from, replica, message),
    pulse: (from, pulse) => host.pulse(from, pulse),
    peerLost: (id) => host.peerLost(id),
    peerGone: (id) => host.peerGone(id),
    identify: (id, diskId) => {
      host.identify(id, diskId)
      void remember(id, diskId)
    },
  }
}
