/** What other brokers ask of this one: commands for the controller, who leads what, handing over, what was lost and found again. */
import { Reader } from '../base/bytes.ts'
import { Refused } from '../base/errors.ts'
import { decodeCommand, encodeReply } from '../machines/cluster/command-codec.ts'
import type { ClusterState } from '../machines/cluster/state.ts'
import type { PeerNetwork } from '../peers/peer-network.ts'
import * as calls from '../protocol/peer/call-kinds.ts'
import { peerVersions } from '../protocol/peer/frame.ts'
import type { Replica } from '../replica/replica.ts'
import { hear } from './announcements.ts'
import type { ClusterQuorum } from './cluster-quorum.ts'
import type { ClusterExecutor } from './commands.ts'
import type { Leaders } from './leaders.ts'
import { bytesOf } from './peer-payload.ts'

/** What others' requests set off here. */
export interface Served {
  readonly executor: ClusterExecutor
  readonly replica: Replica
  readonly image: Readonly<ClusterState>
  readonly leaders: Leaders
  readonly quorum: ClusterQuorum
  /** As the leader of the partition. */
  readonly transfer: (topicId: string, index: number, to: number) => void
  readonly unregister: (id: number) => Promise<void>
  /** As the leader of the partition: broker `from` has lost its replica, or has a new one. */
  readonly restore: (from: number, topicId: string, index: number, isAway: boolean) => Promise<void>
}

const version = peerVersions[1]
const nothing = Buffer.alloc(0)

/** @param onStopping a broker has said that it stops */
export function answerPeers(network: PeerNetwork, served: Served, onStopping: (id: number) => void): void {
  const { executor, replica, image, leaders, quorum } = served
  const { callKinds } = calls
  const committed = (): Buffer =>
    bytesOf((writer) => calls.commandAnswer.encode(writer, { offset: replica.highWatermark }, version))
  network.handle(
    callKinds.command,
    async (from, payload) => {
      const command = decodeCommand(payload)
      // Who has only just started does not know yet who is a broker.
      if (!executor.isReady) throw new Refused('NOT_CONTROLLER', 'this broker does not lead the cluster')
      const isJoining = command.type === 'registerBroker' && command.id === from
      if (!isJoining && !image.brokers.has(from)) {
        throw new Refused('CLUSTER_AUTHORIZATION_FAILED', `node ${from} is no broker of this cluster`)
      }
      const reply = await executor.execute<typeof command.type>(command as never)
      return Buffer.concat([committed(), encodeReply(command.type, reply)])
    },
    { guests: true },
  )
  network.handle(callKinds.leaders, async (from, payload) => {
    hear(leaders, from, payload)
    return nothing
  })
  network.handle(callKinds.transfer, async (_from, payload) => {
    const { topicId, index, to } = calls.transfer.decode(new Reader(payload), version)
    served.transfer(topicId, index, to)
    return nothing
  })
  network.handle(callKinds.restore, async (from, payload) => {
    const { topicId, index, isAway } = calls.restore.decode(new Reader(payload), version)
    await served.restore(from, topicId, index, isAway)
    return nothing
  })
  network.handle(callKinds.stopping, async (from) => {
    onStopping(from)
    return nothing
  })
  network.handle(callKinds.quorum, async () =>
    bytesOf((writer) => {
      const { voters, observers, ...rest } = quorum.describe()
      calls.quorum.encode(writer, { ...rest, voters: [...voters], observers: [...observers] }, version)
    }),
  )
  network.handle(callKinds.unregister, async (_from, payload) => {
    await served.unregister(calls.unregister.decode(new Reader(payload), version).id)
    return committed()
  })
}
