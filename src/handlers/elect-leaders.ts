/**
 * ElectLeaders: partitions go back to their preferred leader, that is, the present leader hands over. An election that costs
 * records ("unclean") does not exist: without a majority nobody can tell what was committed.
 */
import { errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import { ElectLeaders } from '../protocol/apis/elect-leaders.ts'
import type { RequestOf } from '../protocol/notation.ts'
import { type Context, handler } from './handler.ts'
import { inWaves } from './in-waves.ts'
import { leaderOf } from './partition-state.ts'
import { type ErrorFields, errorFields, noError, refusedAsError } from './refusals.ts'
import { byTopic } from './topic-rows.ts'

const preferred = 0
const unclean = 1
/** A leadership changes hands in milliseconds, or after an election or two. The others of the request shall not wait for one. */
const transferMaxMs = 5_000
/** Of the time that the client gives: it must hear of what was not done in time, too. */
const timeShare = 0.9

type Request = RequestOf<typeof ElectLeaders>

interface Asked {
  readonly topic: string
  readonly index: number
}

export const electLeaders = handler(ElectLeaders, async (request, context) => {
  const { electionType: type, timeoutMs } = request
  const { clock } = context.broker.world
  const endMs = clock.monotonic() + timeoutMs * timeShare
  const asked = request.topicPartitions === null ? all(context) : named(request.topicPartitions)
  if (type !== preferred && type !== unclean) {
    const unknown = new Refused('INVALID_REQUEST', `there are no elections of type ${type}`)
    const rows = request.topicPartitions === null ? [] : asked
    return answer(
      unknown,
      rows.map((one) => ({ ...one, error: errorFields(unknown) })),
    )
  }
  const rows = await inWaves(asked, async (one) => ({
    ...one,
    error: await refusedAsError(
      () => elect(one, type, context, Math.min(transferMaxMs, endMs - clock.monotonic())),
      (error): ErrorFields => error,
    ),
  }))
  // Who asks for all wants to hear of those where something happened.
  const needless = errorCode('ELECTION_NOT_NEEDED')
  const told =
    request.topicPartitions === null ? rows.filter(({ error }) => error.errorCode !== needless) : rows
  return answer(null, told)
})

function named(topics: NonNullable<Request['topicPartitions']>): Asked[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((index) => ({ topic, index })))
}

function all({ broker }: Context): Asked[] {
  return [...broker.image.topics.all()].flatMap(({ name: topic, placements }) =>
    placements.map((_, index) => ({ topic, index })),
  )
}

async function elect(
  { topic: name, index }: Asked,
  electionType: number,
  { broker }: Context,
  timeoutMs: number,
): Promise<ErrorFields> {
  const topic = broker.image.topics.byName(name)
  const first = topic?.placements[index]?.[0]
  if (topic === undefined || first === undefined) {
    throw new Refused('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${name}-${index}`)
  }
  const { leaderId } = leaderOf(broker, topic.id, index)
  if (electionType === unclean) {
    if (leaderId >= 0) throw new Refused('ELECTION_NOT_NEEDED', `broker ${leaderId} leads it`)
    throw new Refused(
      'ELIGIBLE_LEADERS_NOT_AVAILABLE',
      'nobody leads it, for too few of its replicas are up; bring them back, records are never given up here',
    )
  }
  if (leaderId === first)
    throw new Refused('ELECTION_NOT_NEEDED', `its preferred leader, broker ${first}, leads it`)
  if (timeoutMs <= 0) throw new Refused('REQUEST_TIMED_OUT', 'there was no time left for it')
  try {
    await broker.controller.transferLeadership(topic.id, index, first, timeoutMs)
    return noError
  } catch (error) {
    if (!(error instanceof Refused && isUnavailable(error))) throw error
    throw new Refused('PREFERRED_LEADER_NOT_AVAILABLE', error.detail)
  }
}

/** What the name for a preferred leader that cannot lead covers. */
function isUnavailable({ code }: Refused): boolean {
  return code === 'ELIGIBLE_LEADERS_NOT_AVAILABLE' || code === 'LEADER_NOT_AVAILABLE'
}

function answer(refused: Refused | null, rows: readonly (Asked & { readonly error: ErrorFields })[]) {
  return {
    errorCode: refused === null ? 0 : errorCode(refused.code),
    replicaElectionResults: [...byTopic(rows)].map(([topic, ofTopic]) => ({
      topic,
      partitionResult: ofTopic.map(({ index, error }) => ({ partitionId: index, ...error })),
    })),
  }
}
