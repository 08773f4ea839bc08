/**
 * Fetch: looks at every partition asked for; when there is an error or enough to read, or no time to wait, reads and
 * answers; else waits in the purgatory first. What is there is counted from the indexes, so nothing is read twice.
 *
 * Sessions (KIP-227) are declined: every full request is served in full and answered with session id 0, which makes clients
 * go on with full requests; an incremental one is of a session that nobody made.
 */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Fetch } from '../protocol/apis/fetch.ts'
import type { RequestOf } from '../protocol/notation.ts'
import { FetchPlan, type TopicAsked } from './fetch-plan.ts'
import { type Context, handler, noResponse } from './handler.ts'

const topicIdsSince = 13
const initialEpoch = 0
const finalEpoch = -1
const readCommitted = 1

export const fetch = handler(Fetch, async (request, context) => {
  if (request.sessionEpoch !== initialEpoch && request.sessionEpoch !== finalEpoch) {
    return { errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'), sessionId: 0, responses: [] }
  }
  const { broker, connection } = context
  const { maxWaitMs, minBytes } = request
  const plan = new FetchPlan(context, asked(request, context))
  if (maxWaitMs > 0 && !plan.isDue(minBytes)) {
    const woken = await broker.purgatory.park({
      connection,
      maxWaitMs,
      wants: plan.wants,
      isDue: (want) => {
        plan.look(want)
        return plan.isDue(minBytes)
      },
    })
    if (woken === 'abandoned') return noResponse
  }
  const limit = Math.min(request.maxBytes, broker.settings.get('fetch.max.bytes'))
  // What is there is counted in steps of the index: only when memory is short does the count limit the reading.
  const wanted = Math.min(limit, plan.available)
  const granted = context.reserve(wanted)
  const bytesMax = granted < wanted ? granted : limit
  const read = await plan.read(bytesMax, request.isolationLevel === readCommitted)
  return { errorCode: 0, sessionId: 0, ...read }
})

/** The request with its topics looked up. */
function asked(request: RequestOf<typeof Fetch>, context: Context): TopicAsked[] {
  const { topics } = context.broker.image
  // Members of a quorum do not come this way; a client that claims to be one would read what is not committed (CVE-2018-1288).
  const isReplica = Math.max(request.replicaId, request.replicaState.replicaId) >= 0
  const refusal: ErrorName | null = isReplica ? 'TOPIC_AUTHORIZATION_FAILED' : null
  return request.topics.map(({ topic, topicId, partitions }) => {
    const found =
      context.version >= topicIdsSince
        ? (topics.byId(topicId) ?? 'UNKNOWN_TOPIC_ID')
        : (topics.byName(topic) ?? 'UNKNOWN_TOPIC_OR_PARTITION')
    return { topic, topicId, found: refusal ?? found, partitions }
  })
}
