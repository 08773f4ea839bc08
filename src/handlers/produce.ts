/**
 * Produce: everything that order depends on (checks, sequences, the place in the log) happens before anything is awaited,
 * partition after partition, so the connection may start its next produce request meanwhile.
 *
 * | acks | the answer leaves when                                                                       |
 * |------|----------------------------------------------------------------------------------------------|
 * | all  | every batch is committed, or refused, or `timeoutMs` is over (REQUEST_TIMED_OUT: it may yet) |
 * | 1    | the batches are written to the leader's log                                                  |
 * | 0    | never; on any error the connection is closed, so that the client looks for the leader again  |
 */
import { type ErrorName, errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'
import { isInternalTopic } from '../broker/internal-topics.ts'
import type { Topic } from '../machines/cluster/state.ts'
import { Produce } from '../protocol/apis/produce.ts'
import type { RequestOf } from '../protocol/notation.ts'
import { type Context, handler, type NoResponse, noResponse } from './handler.ts'
import { LeaderHints, type NodeEndpoint } from './leader-hints.ts'
import { locate } from './locate.ts'

type Request = RequestOf<typeof Produce>

const nothing = Buffer.alloc(0)
/** First version that tells the new leader. */
const leaderHintsSince = 10

/** The answer of one partition, as it goes on the wire. */
interface Row {
  readonly index: number
  errorCode: number
  errorMessage: string | null
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  currentLeader: { leaderId: number; leaderEpoch: number } | undefined
  /** Not on the wire: the batch has its place, and is not known to be committed. */
  isOpen: boolean
}

interface Response {
  readonly responses: readonly { readonly name: string; readonly partitionResponses: readonly Row[] }[]
  readonly nodeEndpoints: readonly NodeEndpoint[]
}

export const produce = handler(Produce, (request, context) => new Producing(request, context).run(), {
  isPipelined: true,
  letsGo: true,
})

/** One request on its way. */
class Producing {
  readonly #request: Request
  readonly #context: Context
  readonly #topics: { readonly name: string; readonly partitionResponses: Row[] }[] = []
  #hints: LeaderHints | null = null
  /** Rows that are open. */
  #open = 0
  #refused: Refused | null = null
  /** An open row waits for its quorum, which may be out of reach. */
  #mayTimeOut = false
  #settled: (() => void) | null = null

  constructor(request: Request, context: Context) {
    this.#request = request
    this.#context = context
  }

  run(): Response | NoResponse | Promise<Response | NoResponse> {
    const { acks } = this.#request
    for (const { name, partitionData } of this.#request.topicData) {
      const partitionResponses: Row[] = []
      this.#topics.push({ name, partitionResponses })
      for (const { index, records } of partitionData) {
        const row = emptyRow(index)
        partitionResponses.push(row)
        if (acks !== 0 && acks !== 1 && acks !== -1) this.#refuse(row, 'INVALID_REQUIRED_ACKS', null)
        else this.#append(row, name, records?.[0] ?? nothing)
      }
    }
    if (acks === 0 && this.#refused !== null) throw this.#refused
    return this.#open > 0 ? this.#untilSettled() : this.#answer()
  }

  #append(row: Row, topic: string, records: Buffer): void {
    const { broker, version, arrivedMs } = this.#context
    if (isInternalTopic(topic)) {
      this.#refuse(row, 'INVALID_TOPIC_EXCEPTION', `topic '${topic}' is internal`)
      return
    }
    const partition = locate(broker, topic, row.index)
    if (typeof partition === 'string') {
      this.#refuse(row, partition, null, broker.image.topics.byName(topic))
      return
    }
    row.logStartOffset = partition.start
    try {
      const { acks } = this.#request
      const { baseOffset, endOffset, epoch, logAppendTimeMs } = partition.append(records, {
        version,
        nowMs: arrivedMs,
        isForAll: acks === -1,
      })
      row.baseOffset = baseOffset
      row.logAppendTimeMs = logAppendTimeMs
      // acks 0 and 1 do not wait for the quorum, so nothing would slow them down: whoever is too far ahead of the disk waits.
      const isForQuorum = acks === -1 || partition.uncommittedBytes > this.#aheadBytesMax()
      if (!isForQuorum && acks === 0) return
      row.isOpen = true
      this.#open++
      const settled = (refused: Refused | null): void => {
        if (!row.isOpen) return
        if (refused !== null) this.#refuse(row, refused.code, refused.detail, partition.topic)
        row.isOpen = false
        if (--this.#open === 0) this.#settled?.()
      }
      if (isForQuorum) {
        this.#mayTimeOut = true
        partition.replica.onCommitted(endOffset, epoch, settled)
      } else partition.replica.onWritten(endOffset, epoch, settled)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#refuse(row, error.code, error.detail, partition.topic)
    }
  }

  /** A quarter of where `propose` begins to refuse. */
  #aheadBytesMax(): number {
    return this.#context.broker.settings.get('lograft.uncommitted.bytes.max') / 4
  }

  #refuse(row: Row, code: ErrorName, detail: string | null, topic?: Topic): void {
    this.#refused ??= new Refused(code, `partition ${row.index}: ${detail ?? ''}`)
    row.errorCode = errorCode(code)
    row.errorMessage = detail === '' ? null : detail
    row.baseOffset = -1
    row.logAppendTimeMs = -1
    const isElsewhere = code === 'NOT_LEADER_OR_FOLLOWER' && topic !== undefined
    if (isElsewhere && this.#context.version >= leaderHintsSince) {
      this.#hints ??= new LeaderHints(this.#context.broker)
      row.currentLeader = this.#hints.of({ topic, index: row.index })
    }
  }

  #untilSettled(): Promise<Response | NoResponse> {
    const { clock } = this.#context.broker.world
    return new Promise((resolve) => {
      const late = (): void => {
        this.#refuseLate()
        resolve(this.#answer())
      }
      const timer = this.#mayTimeOut ? clock.setTimer(this.#request.timeoutMs, late) : null
      this.#settled = () => {
        timer?.cancel()
        resolve(this.#answer())
      }
    })
  }

  #refuseLate(): void {
    for (const { partitionResponses } of this.#topics) {
      for (const row of partitionResponses) {
        if (!row.isOpen) continue
        row.isOpen = false
        this.#refuse(row, 'REQUEST_TIMED_OUT', 'not committed in time; it may yet be')
      }
    }
  }

  #answer(): Response | NoResponse {
    if (this.#request.acks === 0) return noResponse
    return { responses: this.#topics, nodeEndpoints: this.#hints?.endpoints ?? [] }
  }
}

function emptyRow(index: number): Row {
  return {
    index,
    errorCode: 0,
    errorMessage: null,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    currentLeader: undefined,
    isOpen: false,
  }
}
