/**
 * Broker 1 of a cluster as its handlers see it: 2 is up, 3 is down, what the controller decides is decided by the real machine, and
 * who leads is what the test says.
 */
import { Reader } from '../../src/base/bytes.ts'
import { Refused } from '../../src/base/errors.ts'
import type { Broker } from '../../src/broker/broker.ts'
import type { QuorumDescription } from '../../src/broker/cluster-quorum.ts'
import { Leaders } from '../../src/broker/leaders.ts'
import { Settings } from '../../src/config/settings.ts'
import { handlers } from '../../src/handlers/table.ts'
import { cluster } from '../../src/machines/cluster/cluster.ts'
import type { ClusterCommand } from '../../src/machines/cluster/commands.ts'
import { decodeResponseHeader } from '../../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { Dispatch } from '../../src/server/dispatch.ts'
import { frameOf } from '../server/fixture.ts'
import { ManualClock } from '../server/world.ts'

export const diskOf = (id: number) => `00000000-0000-4000-8000-00000000000${id}`
export const idOf = (topic: string) =>
  `11111111-1111-4111-8111-${Buffer.from(topic).toString('hex').padStart(12, '0').slice(0, 12)}`

/** `placements` of topics: '1,2 2,1' for two partitions of two replicas. */
export function startCluster(placements: Readonly<Record<string, string>>) {
  const clock = new ManualClock()
  const image = cluster.empty()
  const leaders = new Leaders(clock)
  const down = new Set([3])
  const decide = (command: ClusterCommand) => {
    const { changes, replies } = cluster.decide(image, command, { wallMs: 0, monotonicMs: 0 }, 1)
    const [reply] = replies
    if (reply !== undefined && 'refused' in reply) throw new Refused(reply.refused, reply.detail)
    for (const change of changes) cluster.apply(image, change)
  }
  for (const id of [1, 2, 3, 4]) {
    const address = { host: `${id}.example`, port: 9092, peerHost: `${id}.peer`, peerPort: 9093 }
    const freshClusterId = '99999999-9999-4999-8999-999999999999'
    decide({ type: 'registerBroker', id, diskId: diskOf(id), rack: `rack ${id}`, freshClusterId, ...address })
  }
  for (const [name, text] of Object.entries(placements)) {
    const assignment = text.split(' ').map((ids) => ids.split(',').map(Number))
    decide({
      ...{ type: 'createTopic', name, freshId: idOf(name), assignment, configs: new Map() },
      ...{ partitions: null, replicationFactor: null, validateOnly: false, partitionsMax: 1000 },
      away: [],
    } as const)
    for (const [index, replicas] of assignment.entries()) {
      const isr = replicas.filter((id) => !down.has(id))
      leaders.heard(idOf(name), index, { leaderId: isr[0] ?? replicas[0] ?? -1, epoch: 5, isr })
    }
  }
  const transfers: string[] = []
  const cases = {
    /** Set: what the next transfers of leadership end with. */
    transferFails: null as Refused | null,
    quorum: null as QuorumDescription | null,
    /** Replicas here that know more than the leaders have said, and faults. */
    replicas: new Map<string, { epoch: number; leaderId: number }>(),
    faults: new Set<string>(),
  }
  const broker = {
    nodeId: 1,
    clusterId: image.clusterId,
    dataDir: '/data',
    world: { clock },
    settings: new Settings(),
    image,
    leaders,
    controllerId: 2,
    isAlive: (id: number) => image.brokers.has(id) && !down.has(id),
    endpoint: (id: number) => image.brokers.get(id),
    partition: (topicId: string, index: number) => {
      const isHere = image.topics.byId(topicId)?.placements[index]?.includes(1)
      const place = `${topicId}-${index}`
      if (isHere !== true || cases.faults.has(place)) return undefined
      const told = leaders.of(topicId, index) ?? { epoch: -1, leaderId: -1 }
      return { replica: { fault: null, ...told, ...cases.replicas.get(place) } }
    },
    fault: (topicId: string, index: number) => (cases.faults.has(`${topicId}-${index}`) ? {} : undefined),
    describeQuorum: async () => {
      if (cases.quorum === null) throw new Refused('NOT_CONTROLLER', 'nobody leads the cluster now')
      return cases.quorum
    },
    controller: {
      underWay: () => undefined,
      beginning: () => undefined,
      reassign: async (move: { topicId: string; index: number; replicas: readonly number[] | null }) =>
        decide({ type: 'reassignPartition', ...move }),
      unregisterBroker: async (id: number) => decide({ type: 'retireBroker', id }),
      transferLeadership: async (topicId: string, index: number, to: number, timeoutMs: number) => {
        if (cases.transferFails !== null) throw cases.transferFails
        transfers.push(`${image.topics.byId(topicId)?.name}-${index} to ${to} in ${timeoutMs}`)
      },
    },
    event: () => {},
  } as unknown as Broker
  const dispatch = new Dispatch(broker, handlers)
  return {
    broker,
    image,
    leaders,
    down,
    transfers,
    cases,
    decide,
    async ask<A extends AnyApi>(api: A, request: RequestInput<A>, version = api.max): Promise<ResponseOf<A>> {
      const frame = frameOf(api, version, request, 42).subarray(4)
      const caller = { id: 'c', clientHost: '/127.0.0.1', reserve: (bytes: number) => bytes }
      const answer = await dispatch.run(frame, dispatch.route(frame), caller)
      const reader = new Reader(Buffer.concat(answer?.buffers ?? []), 4)
      decodeResponseHeader(reader, api.responseHeaderVersion(version))
      return api.decodeResponse(reader, version) as ResponseOf<A>
    },
  }
}
