/**
 * node-rdkafka, the binding of librdkafka: what native code can do. It is no dependency of the project, for it builds librdkafka
 * from source and takes half a gigabyte; `install` puts it into a folder of its own.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Library } from './libraries.ts'

const version = '3.6.1'

/** Builds it, unless it is there; takes minutes. */
export async function install(folder: string): Promise<void> {
  if (existsSync(join(folder, 'node_modules/node-rdkafka/build/Release/node-librdkafka.node'))) return
  process.stderr.write(`building node-rdkafka ${version} in ${folder}\n`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  await promisify(execFile)('npm', ['install', '--foreground-scripts', `node-rdkafka@${version}`], {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  })
}

type Fault = Error | null

/** The part of its face that is used here. */
interface Native {
  readonly Producer: new (conf: object, topicConf: object) => NativeProducer
  readonly KafkaConsumer: new (conf: object, topicConf: object) => NativeConsumer
}

interface NativeProducer {
  connect(options: object, done: (error: Fault) => void): void
  disconnect(done: (error: Fault) => void): void
  on(event: 'delivery-report', listener: (error: Fault, report: { opaque: Call }) => void): void
  produce(
    topic: string,
    partition: number | null,
    value: Buffer,
    key: null,
    timestamp: null,
    opaque: Call,
  ): void
  setPollInterval(ms: number): void
}

interface NativeConsumer {
  connect(options: object, done: (error: Fault) => void): void
  disconnect(done: (error: Fault) => void): void
  subscribe(topics: readonly string[]): void
  setDefaultConsumeTimeout(timeoutMs: number): void
  consume(count: number, done: (error: Fault, records: readonly { value: Buffer | null }[]) => void): void
}

/** One call of `send`. */
interface Call {
  left: number
  resolve: () => void
  reject: (error: Error) => void
}

const completion = (start: (done: (error: Fault) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => start((error) => (error === null ? resolve() : reject(error))))

/** @param lingerMs its default of 5 is made for batches; single sends would measure nothing but that */
export async function withRdkafka(folder: string, bootstrap: string, lingerMs: number): Promise<Library> {
  const native = createRequire(join(folder, 'package.json'))('node-rdkafka') as Native
  const conf = { 'metadata.broker.list': bootstrap }
  const producer = new native.Producer(
    { ...conf, dr_cb: true, 'queue.buffering.max.ms': lingerMs },
    { 'request.required.acks': -1 },
  )
  producer.on('delivery-report', (error, { opaque }) => {
    if (error !== null) opaque.reject(error)
    else if (--opaque.left === 0) opaque.resolve()
  })
  await completion((done) => producer.connect({}, done))
  producer.setPollInterval(1)
  return {
    send: (topic, values) =>
      new Promise((resolve, reject) => {
        const call: Call = { left: values.length, resolve, reject }
        for (const value of values) producer.produce(topic, null, value, null, null, call)
      }),
    consume: (topic, count) => consume(native, conf, topic, count),
    close: () => completion((done) => producer.disconnect(done)),
  }
}

async function consume(native: Native, conf: object, topic: string, count: number): Promise<number> {
  const consumer = new native.KafkaConsumer(
    { ...conf, 'group.id': `bench-${randomUUID()}` },
    { 'auto.offset.reset': 'earliest' },
  )
  await completion((done) => consumer.connect({}, done))
  consumer.setDefaultConsumeTimeout(100)
  consumer.subscribe([topic])
  let [seen, bytes] = [0, 0]
  while (seen < count) {
    await completion((done) =>
      consumer.consume(1_000, (error, records) => {
        for (const { value } of error === null ? records : []) {
          if (seen === count) break
          bytes += value?.length ?? 0
          seen++
        }
        done(error)
      }),
    )
  }
  await completion((done) => consumer.disconnect(done))
  return bytes
}
