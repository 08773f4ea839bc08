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

export class Registration {
  readonly #options: RegistrationOptions
  #isRegistered = false
  #isCheckingIn = false

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  /**
   * Resolves with the cluster's id; waits for as long as no controller can be reached.
   * @throws DataFolderRefused when the controller does not take this broker; Faulted; Refused when it is given up
   */
  async register(): Promise<string> {
    const { dataDir, membership, fault: faultOf, isGivenUp } = this.#options
    const waiting = sayWaiting(this.#options)
    try {
      const { clusterId } = await membership.commands.execute(this.#command(), Infinity)
      this.#isRegistered = true
      return clusterId
    } catch (error) {
      const fault = faultOf()
      if (fault !== null) throw fault
      if (!(error instanceof Refused) || isGivenUp()) throw error
      throw new DataFolderRefused(`the cluster does not take the data folder ${dataDir}: ${error.detail}`)
    } finally {
      waiting.cancel()
    }
  }

  /**
   * Asks whether the cluster still knows this broker: one that was taken out is not told, because nobody speaks with it any more.
   * Resolves with whether it was.
   */
  async isRetired(): Promise<boolean> {
    if (!this.#isRegistered || this.#isCheckingIn) return false
    this.#isCheckingIn = true
    try {
      await this.#options.membership.commands.execute(this.#command())
      return false
    } catch (error) {
      // Anything else says that nobody could be asked.
      if (!(error instanceof Refused)) throw error
      if (error.code !== 'DUPLICATE_BROKER_REGISTRATION' || this.#options.isGivenUp()) return false
      this.#options.onEvent({
        level: 'error',
        event: 'broker.retired',
        message: `this broker is none of its cluster any more, and stops: ${error.detail}`,
      })
      return true
    } finally {
      this.#isCheckingIn = false
    }
  }

  #command() {
    const { nodeId, diskId, address, peerAddress, rack, world } = this.#options
    return {
      type: 'registerBroker',
      id: nodeId,
      diskId,
      ...address,
      rack,
      peerHost: peerAddress?.host ?? null,
      peerPort: peerAddress?.port ?? 0,
      freshClusterId: uuidOf(world.random.bytes(16)),
    } as const
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
