/** Requests and answers as bytes: six partitions each. */
import { Reader, Writer } from '../../src/base/bytes.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { payload } from '../load/topic.ts'
import type { Micro } from './measure.ts'

const version = { produce: 9, fetch: 12 }
const partitions = Array.from({ length: 6 }, (_, index) => index)

export function protocolMicros(): Micro[] {
  const { batch } = payload(100, 16_384)
  const writer = new Writer()
  const request = {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: 'load', partitionData: partitions.map((index) => ({ index, records: [batch] })) }],
  }
  Produce.encodeRequest(writer, request, version.produce)
  const requestBytes = writer.toBuffer()
  const answer = {
    responses: [
      {
        name: 'load',
        partitionResponses: partitions.map((index) => ({ index, errorCode: 0, baseOffset: 1_000_000 })),
      },
    ],
  }
  const fetched = {
    errorCode: 0,
    sessionId: 0,
    responses: [
      {
        topic: 'load',
        partitions: partitions.map((partitionIndex) => ({
          partitionIndex,
          errorCode: 0,
          highWatermark: 1_000_000,
          lastStableOffset: 1_000_000,
          logStartOffset: 0,
          abortedTransactions: null,
          records: [batch],
        })),
      },
    ],
  }
  return [
    {
      what: 'Produce request decoded, six partitions',
      run: () => Produce.decodeRequest(new Reader(requestBytes), version.produce),
    },
    {
      what: 'Produce answer encoded, six partitions',
      run: () => {
        const out = new Writer()
        Produce.encodeResponse(out, answer, version.produce)
        return out.finish()
      },
    },
    {
      what: 'Fetch answer encoded, six partitions, records by reference',
      run: () => {
        const out = new Writer()
        Fetch.encodeResponse(out, fetched, version.fetch)
        return out.finish()
      },
    },
  ]
}
