/** How a client behaves towards its application: signals, disposal, events, logs, finding its way back. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners } from 'node:events'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import { Cluster } from '../../client/cluster.ts'
import type { ClientEvents } from '../../client/diagnostics.ts'
import { Aborted, ClientClosed, type KafkaError } from '../../client/errors.ts'
import { type ClientOptions, settingsOf } from '../../client/settings.ts'
import { nodeTransport, type Stream, type Transport } from '../../client/transport.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { hangUp, ScriptedBroker, stall } from './scripted-broker.ts'

function connect(t: Test, bootstrap: string, options: Partial<ClientOptions> = {}): Client {
  const client = new Client({ bootstrap, requestTimeoutMs: 60_000, retryBackoffMs: 5, ...options })
  t.teardown(() => client.close({ timeoutMs: 50 }))
  return client
}

const failure = (call: Promise<unknown>): Promise<KafkaError> =>
  call.then(
    () => {
      throw new Error('it succeeded')
    },
    (thrown: unknown) => thrown as KafkaError,
  )

/** Collects what a channel tells during the test. */
function hear<N extends keyof ClientEvents>(t: Test, name: N): ClientEvents[N][] {
  const heard: ClientEvents[N][] = []
  const listen = (message: unknown): void => {
    heard.push(message as ClientEvents[N])
  }
  subscribe(`lograft:client:${name}`, listen)
  t.teardown(() => unsubscribe(`lograft:client:${name}`, listen))
  return heard
}

t.test('a signal ends what waits', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const stop = new AbortController()
  const client = connect(t, broker.bootstrap)
  const producer = client.producer()
  await producer.send({ topic: 'orders', value: 'x' })
  broker.on(Produce, () => stall)
  const sent = failure(producer.send({ topic: 'orders', value: 'y' }, { signal: stop.signal }))
  const all = failure(producer.sendAll([{ topic: 'orders', value: 'z' }], { signal: stop.signal }))
  broker.on(Metadata, () => stall)
  const described = failure(client.admin({ signal: stop.signal }).describeCluster())
  const listed = failure(client.admin({ signal: stop.signal }).listTopics())
  await new Promise((resolve) => setTimeout(resolve, 20))
  const reason = new Error('enough')
  stop.abort(reason)
  for (const error of await Promise.all([sent, all, described, listed])) {
    t.type(error, Aborted)
    t.match(error, { name: 'AbortError', code: 'ABORTED', cause: reason, retriable: false })
  }
  t.equal(getEventListeners(stop.signal, 'abort').length, 0, 'and leaves no listener behind')
  t.type(await failure(producer.send({ topic: 'orders', value: 'y' }, { signal: stop.signal })), Aborted)
  t.type(await failure(client.admin({ signal: stop.signal }).listTopics()), Aborted)
})

t.test('a call with a time of its own', async (t) => {
  const broker = await ScriptedBroker.listen(t)
  broker.on(Metadata, () => hangUp)
  const error = await failure(connect(t, broker.bootstrap).admin({ timeoutMs: 100 }).describeCluster())
  t.match(error, { code: 'REQUEST_TIMED_OUT', message: /within 100 ms/ })
})

t.test("the client's own signal closes it", async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const stop = new AbortController()
  const client = connect(t, broker.bootstrap, { signal: stop.signal })
  await client.producer().send({ topic: 'orders', value: 'x' })
  stop.abort()
  await client.close()
  t.throws(() => client.producer(), { code: 'CLIENT_CLOSED' })
  t.throws(() => connect(t, broker.bootstrap, { signal: stop.signal }).producer(), { code: 'CLIENT_CLOSED' })
})

t.test('await using closes what it declares', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const ended = hear(t, 'disconnected')
  {
    await using client = new Client({ bootstrap: broker.bootstrap })
    await using producer = client.producer({ lingerMs: 60_000 })
    void producer.send({ topic: 'orders', value: 'lingers' })
  }
  t.equal(broker.log('orders', 0).records.length, 1, 'sent before it closed')
  t.match(ended, [{ reason: { code: 'CLIENT_CLOSED' } }])
})

t.test('a connection that is needed no more when it is open is closed', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const streams: Stream[] = []
  const destroyed = new Set<Stream>()
  const connectTo: Transport['net']['connect'] = async (options) => {
    const stream = await nodeTransport.net.connect(options)
    const destroy = stream.destroy
    stream.destroy = () => {
      destroyed.add(stream)
      destroy()
    }
    streams.push(stream)
    return stream
  }
  const transport = { ...nodeTransport, net: { connect: connectTo } }
  const cluster = new Cluster(settingsOf({ bootstrap: broker.bootstrap, transport }))
  t.teardown(() => cluster.close())
  await cluster.metadata.fetch([], false)
  const [nodeId = -1] = cluster.brokers.nodeIds
  const opening = failure(cluster.brokers.connection(nodeId, 'fetch-0'))
  cluster.brokers.drop('fetch-0', new ClientClosed('consumer'))
  t.match(await opening, { code: 'NETWORK_EXCEPTION', message: /needed no more/ })
  t.equal(streams.length, 2)
  t.same(
    [...destroyed],
    streams.slice(1),
    'the consumer that wanted it is closed: nobody would ever close it',
  )
})

t.test('events', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const [connected, requests, retried, produced] = [
    hear(t, 'connected'),
    hear(t, 'request'),
    hear(t, 'retried'),
    hear(t, 'produced'),
  ]
  const client = connect(t, broker.bootstrap, { clientId: 'tester' })
  let calls = 0
  broker.on(Metadata, (request) => (++calls === 1 ? hangUp : broker.metadata(request)))
  await client.producer().sendAll([
    { topic: 'orders', value: 'x' },
    { topic: 'orders', value: 'y' },
  ])
  t.match(connected[0], { clientId: 'tester', address: broker.bootstrap })
  t.match(
    requests.find(({ api, error }) => api === 'Metadata' && error !== null),
    { error: { code: 'NETWORK_EXCEPTION' } },
  )
  const request = requests.find(({ api }) => api === 'Produce')
  t.match(request, { clientId: 'tester', address: broker.bootstrap, version: Produce.max, error: null })
  t.ok((request?.durationMs ?? -1) >= 0)
  t.match(retried, [{ what: 'topic orders', failures: 1, error: { code: 'NETWORK_EXCEPTION' } }])
  t.match(produced, [{ topic: 'orders', partition: 0, records: 2, error: null }])
})

t.test('pino is a logger', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const lines: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) })
  const client = connect(t, broker.bootstrap, { logger })
  await client.admin().describeCluster()
  await client.close()
  const logged = lines.map((line) => JSON.parse(line) as { msg: string; address: string })
  t.match(logged[0], { msg: `connected to broker ${broker.bootstrap}`, address: broker.bootstrap })
})

t.test('when every broker has moved, the addresses that it was given lead back', async (t) => {
  const old = await ScriptedBroker.listen(t, { orders: 1 })
  const front = await ScriptedBroker.listen(t, { orders: 1 })
  // The front, as a balancer does, tells of the broker behind it.
  let behind = old
  front.on(Metadata, (request) => behind.metadata(request))
  const client = connect(t, front.bootstrap, { metadataMaxAgeMs: 50 })
  const producer = client.producer()
  await producer.send({ topic: 'orders', value: 'x' })
  t.equal(old.log('orders', 0).records.length, 1)
  behind = await ScriptedBroker.listen(t, { orders: 1 })
  await old.close()
  front.hangUp()
  await producer.send({ topic: 'orders', value: 'y' })
  t.equal(behind.log('orders', 0).records.length, 1)
})

t.test('an error says what it is, whether it may pass, what to do, and where it came from', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  const client = connect(t, broker.bootstrap, { topicTimeoutMs: 0 })
  const error = await failure(client.producer().send({ topic: 'none', value: 'x' }))
  t.match(error, {
    name: 'BrokerRefused',
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
    retriable: true,
    advice: /create the topic/,
  })
  t.equal((await failure(client.admin().describeTopics(['none']))).code, 'UNKNOWN_TOPIC_OR_PARTITION')
})
