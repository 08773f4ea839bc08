/** A broker makes itself known to the controller, whoever that is; the first one of all forms the cluster. */
import { type Faulted, Refused } from '../base/errors.ts'
import { uuidOf } from '../base/uuid.ts'
import type { World } from '../io/world.ts'
import type { BrokerEvent } from './broker.ts'
import { DataFolderRefused } from './data-folder-refused.ts'
import type { Membership } from './membership.ts'

interface Address {
  readonly host: string
  readonly port: number
}

export interface RegistrationOptions {
  readonly nodeId: number
  readonly diskId: string
  readonly dataDir: string
  /** What clients are told. */
  readonly address: Address
  /** What other brokers are told; null: this one has no port for them. */
  readonly peerAddress: Address | null
  readonly rack: string | null
  readonly world: Pick<World, 'clock' | 'random'>
  readonly membership: Pick<Membership, 'commands' | 'whatIsMissing'>
  /** Of the cluster's log. */
  readonly fault: () => Faulted | null
  /** The broker is told to stop. */
  readonly isGivenUp: () => boolean
  readonly onEvent: (event: BrokerEvent) => void
}

/** How long a broker waits in silence, and how often it says so afterwards. */
const waitingSoonMs = 5000
const waitingLaterMs = 30_000

/**
 * Resolves with the cluster's id; waits for as long as no controller can be reached.
 * @throws DataFolderRefused when the controller does not take this broker; Faulted; Refused when it is given up
 */
export async function register(options: RegistrationOptions): Promise<string> {
  const { nodeId, diskId, dataDir, address, peerAddress, rack, world, membership } = options
  const waiting = sayWaiting(options)
  try {
    const { clusterId } = await membership.commands.execute(
      {
        type: 'registerBroker',
        id: nodeId,
        diskId,
        ...address,
        rack,
        peerHost: peerAddress?.host ?? null,
        peerPort: peerAddress?.port ?? 0,
        freshClusterId: uuidOf(world.random.bytes(16)),
      },
      Infinity,
    )
    return clusterId
  } catch (error) {
    const fault = options.fault()
    if (fault !== null) throw fault
    if (!(error instanceof Refused) || options.isGivenUp()) throw error
    throw new DataFolderRefused(`the cluster does not take the data folder ${dataDir}: ${error.detail}`)
  } finally {
    waiting.cancel()
  }
}

/** Whoever watches a broker that does not come up is told what it waits for. */
function sayWaiting({ world, membership, onEvent }: RegistrationOptions): { cancel(): void } {
  const say = (): void => {
    onEvent({
      level: 'warn',
      event: 'cluster.waiting',
      message: `this broker waits for a controller that takes it in: ${membership.whatIsMissing()}`,
    })
    timer = world.clock.setTimer(waitingLaterMs, say)
  }
  let timer = world.clock.setTimer(waitingSoonMs, say)
  return { cancel: () => timer.cancel() }
}
