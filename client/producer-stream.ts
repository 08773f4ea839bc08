/**
 * The producer as the end of a pipeline.
 *
 *     await ReadableStream.from(records).pipeTo(producer.writable())
 *     await pipeline(records, Writable.fromWeb(producer.writable(), { objectMode: true }))
 */
import type { KafkaError } from './errors.ts'
import type { Done } from './producer-batch.ts'
import type { ProducerRecord } from './record.ts'

interface Sink {
  enqueue(record: ProducerRecord, done: Done): Promise<void> | undefined
  flush(): Promise<void>
}

/**
 * A web stream, for it is everywhere without an import; Node's own is one call away. A write is done when the
 * record has room, so a full producer holds the pipeline up; the first record that fails fails the stream. Its close waits
 * until all is acknowledged. The producer stays open.
 */
export function writableOf(sink: Sink): WritableStream<ProducerRecord> {
  let failure: KafkaError | null = null
  return new WritableStream<ProducerRecord>({
    write(record, controller) {
      return sink.enqueue(record, (error) => {
        if (error === null) return
        failure ??= error
        controller.error(error)
      })
    },
    async close() {
      await sink.flush()
      if (failure !== null) throw failure
    },
  })
}
