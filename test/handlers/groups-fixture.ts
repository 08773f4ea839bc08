/** A broker that coordinates groups in virtual time, asked over the wire format in any version. */
import { Reader } from '../../src/base/bytes.ts'
import { Refused } from '../../src/base/errors.ts'
import type { Broker, BrokerEvent } from '../../src/broker/broker.ts'
import { Coordinators, type GroupExecutor } from '../../src/broker/coordinators.ts'
import { groupsTopicName } from '../../src/broker/internal-topics.ts'
import { deleteGroups } from '../../src/handlers/delete-groups.ts'
import { describeGroups } from '../../src/handlers/describe-groups.ts'
import { findCoordinator } from '../../src/handlers/find-coordinator.ts'
import { heartbeat } from '../../src/handlers/heartbeat.ts'
import { joinGroup } from '../../src/handlers/join-group.ts'
import { leaveGroup } from '../../src/handlers/leave-group.ts'
import { listGroups } from '../../src/handlers/list-groups.ts'
import { offsetCommit } from '../../src/handlers/offset-commit.ts'
import { offsetDelete } from '../../src/handlers/offset-delete.ts'
import { offsetFetch } from '../../src/handlers/offset-fetch.ts'
import { syncGroup } from '../../src/handlers/sync-group.ts'
import { emptyClusterState } from '../../src/machines/cluster/state.ts'
import type { GroupCommand } from '../../src/machines/groups/commands.ts'
import type { GroupSettings } from '../../src/machines/groups/settings.ts'
import type { GroupsState } from '../../src/machines/groups/state.ts'
import { decodeResponseHeader } from '../../src/protocol/header.ts'
import type { AnyApi, RequestInput, ResponseOf } from '../../src/protocol/notation.ts'
import { Dispatch } from '../../src/server/dispatch.ts'
import { Stage } from '../machines/groups/stage.ts'
import { frameOf } from '../server/fixture.ts'

const handlers = [
  findCoordinator,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  describeGroups,
  listGroups,
  deleteGroups,
  offsetCommit,
  offsetFetch,
  offsetDelete,
]

/** Runs a machine as the executor does, with nothing between a decision and its commit. */
class StagedExecutor {
  readonly isReady = true
  /** Set to refuse everything, as after an election. */
  refused: Refused | null = null

  constructor(readonly stage: Stage) {}

  execute(command: GroupCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.refused !== null) throw this.refused
      const call = this.stage.ask(command)
      const settle = () => {
        if (call.refused === undefined) resolve(call.reply)
        else reject(new Refused(call.refused))
      }
      if (call.isOpen) call.onAnswer = settle
      else settle()
    })
  }

  query<T>(read: (state: Readonly<GroupsState>) => T): T {
    return read(this.stage.state)
  }
}

/** Topic 'events' has three partitions. */
export function startGroups(settings: Partial<GroupSettings> = {}, options: { partitions?: number } = {}) {
  const stages = Array.from({ length: options.partitions ?? 1 }, () => new Stage(settings))
  const executors = stages.map((stage) => new StagedExecutor(stage))
  // The fixture's own, empty until the topic of the groups is asked for.
  const led: (GroupExecutor | undefined)[] = []
  const image = emptyClusterState()
  const ensure = async () => {
    for (const [index, executor] of executors.entries()) led[index] = executor as unknown as GroupExecutor
    if (image.topics.byName(groupsTopicName) !== undefined) return
    image.topics.add({
      name: groupsTopicName,
      id: '22222222-2222-4222-8222-222222222222',
      placements: executors.map(() => [1, 2]),
      moves: new Map(),
      origins: new Map(),
      configs: new Map(),
    })
  }
  /** Of every partition of the groups' topic. */
  const leader = { leaderId: 1, epoch: 7, isr: [1] }
  image.topics.add({
    name: 'events',
    id: '11111111-1111-4111-8111-111111111111',
    placements: [[1], [1], [1]],
    moves: new Map(),
    origins: new Map(),
    configs: new Map(),
  })
  const [first] = stages
  const events: BrokerEvent[] = []
  let bytes = 0
  const broker = {
    nodeId: 1,
    world: {
      clock: { now: () => first?.now.wallMs },
      random: { bytes: (size: number) => Buffer.alloc(size, ++bytes) },
    },
    image,
    coordinators: new Coordinators({ executors: led, ensure, confirm: async () => {} }),
    leaders: { of: () => leader },
    partition: () => ({ replica: { fault: null, epoch: 7, leaderId: leader.leaderId } }),
    isAlive: (id: number) => id === 1 || id === 2,
    endpoint: (id: number) => ({ host: id === 1 ? 'one.example' : 'two.example', port: 9092 }),
    event: (event: BrokerEvent) => void events.push(event),
  } as unknown as Broker
  const dispatch = new Dispatch(broker, handlers)

  return {
    broker,
    events,
    stages,
    executors,
    led,
    ensure,
    leader,
    advance(ms: number): void {
      for (const stage of stages) stage.advance(ms)
    },
    async ask<A extends AnyApi>(api: A, version: number, request: RequestInput<A>): Promise<ResponseOf<A>> {
      const answer = await this.send(frameOf(api, version, request, 42).subarray(4))
      const reader = new Reader(answer, 4)
      decodeResponseHeader(reader, api.responseHeaderVersion(version))
      return api.decodeResponse(reader, version) as ResponseOf<A>
    },
    async send(frame: Buffer): Promise<Buffer> {
      const caller = { id: 'c', clientHost: '/127.0.0.1', reserve: (bytes: number) => bytes }
      return Buffer.concat((await dispatch.run(frame, dispatch.route(frame), caller))?.buffers ?? [])
    },
  }
}
