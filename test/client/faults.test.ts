/** What a client says of brokers that are not there, not well, or not brokers: a typed error, in bounded time. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import {
  ConnectFailed,
  ConnectionLost,
  InvalidArgument,
  KafkaError,
  NotKafka,
  TimedOut,
  UnsupportedVersion,
} from '../../client/errors.ts'
import type { ClientOptions } from '../../client/settings.ts'
import { Writer } from '../../src/base/bytes.ts'
import { errorCode } from '../../src/base/error-codes.ts'
import { ApiVersions } from '../../src/protocol/apis/api-versions.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { hangUp, ScriptedBroker, silence, stall } from './scripted-broker.ts'

function connect(t: Test, bootstrap: string, options: Partial<ClientOptions> = {}): Client {
  const client = new Client({
    bootstrap,
    bootstrapTimeoutMs: 0,
    requestTimeoutMs: 300,
    connectTimeoutMs: 300,
    callTimeoutMs: 1_000,
    retryBackoffMs: 10,
    ...options,
  })
  t.teardown(() => client.close())
  return client
}

/** The error of a call that must fail, within `withinMs`. */
async function failure(call: Promise<unknown>, withinMs = 3_000): Promise<KafkaError> {
  const started = performance.now()
  const error = await call.then(
    () => {
      throw new Error('it succeeded')
    },
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof KafkaError)) throw error
  if (performance.now() - started > withinMs) throw new Error(`it took ${performance.now() - started} ms`)
  return error
}

/** Free a moment ago, and not given to anybody else so soon. */
async function closedPorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

t.test('nobody listens', async (t) => {
  const [port, other] = await closedPorts(2)
  const error = await failure(connect(t, `127.0.0.1:${port}`).admin().describeCluster())
  t.type(error, ConnectFailed)
  t.equal(error.message, `broker 127.0.0.1:${port} refused the connection`)
  t.equal(error.code, 'NETWORK_EXCEPTION')
  t.ok(error.retriable)
  t.match(error.cause, { code: 'ECONNREFUSED' })

  const both = await failure(connect(t, `127.0.0.1:${port},127.0.0.1:${other}`).admin().describeCluster())
  t.match(both.message, /no broker can be reached: .*refused the connection; .*refused the connection/)

  const patient = connect(t, `127.0.0.1:${port}`, { bootstrapTimeoutMs: 10_000, callTimeoutMs: 400 })
  const late = await failure(patient.admin().describeCluster())
  t.type(late, TimedOut, 'asked to be patient, it is, and says so in the end')
  t.match(late.message, /within 400 ms; the last error was: .*refused/)
})

t.test('what listens is no broker', async (t) => {
  const cases: readonly [string, string | Buffer, RegExp][] = [
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', /is an HTTP server/],
    ['an SSH server', 'SSH-2.0-OpenSSH_9.2\r\n', /is an SSH server/],
    ['a TLS server', Buffer.from([0x15, 3, 1, 0, 2, 2, 22]), /speaks TLS/],
    ['noise', Buffer.alloc(64, 0xff), /a frame of -1 bytes/],
    [
      'an answer to nothing that was asked',
      Buffer.from([0, 0, 0, 8, 0, 0, 9, 9, 0, 0, 0, 0]),
      /request 2313/,
    ],
    ['a response that ends inside', Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 0]), /ApiVersions v4/],
  ]
  for (const [name, answer, sentence] of cases) {
    const broker = await ScriptedBroker.listen(t)
    broker.onSocket = (socket) => socket.once('data', () => socket.write(answer))
    const error = await failure(connect(t, broker.bootstrap).admin().describeCluster())
    t.type(error, NotKafka, name)
    t.match(error.message, sentence, name)
    t.notOk(error.retriable)
  }
  const broker = await ScriptedBroker.listen(t)
  broker.onSocket = (socket) => socket.once('data', () => socket.destroy())
  const error = await failure(connect(t, broker.bootstrap).admin().describeCluster())
  t.match(error.message, /closes the connection at the first request/)
})

t.test('a broker that has answered before, and closes at once, is about to stop', async (t) => {
  const broker = await ScriptedBroker.listen(t)
  const admin = connect(t, broker.bootstrap).admin()
  await admin.describeCluster()
  let closed = 0
  broker.onSocket = (socket) => {
    closed++
    socket.once('data', () => socket.destroy())
    if (closed === 3) broker.onSocket = null
  }
  broker.hangUp()
  await admin.describeCluster()
  t.equal(closed, 3, 'asked again until it served')
})

t.test('a broker that says nothing', async (t) => {
  const broker = await ScriptedBroker.listen(t)
  broker.onSocket = () => {}
  t.type(await failure(connect(t, broker.bootstrap).admin().describeCluster()), TimedOut)

  const stalling = await ScriptedBroker.listen(t)
  stalling.on(Metadata, () => stall)
  const error = await failure(connect(t, stalling.bootstrap).admin().describeCluster())
  t.type(error, TimedOut)
  t.match(error.message, /the cluster: no success within 1000 ms; the last error was: /)
})

t.test('a broker that closes before, in the middle of, and instead of an answer', async (t) => {
  const broker = await ScriptedBroker.listen(t)
  broker.on(Metadata, () => hangUp)
  const error = await failure(connect(t, broker.bootstrap).admin().describeCluster())
  t.type(error, TimedOut)
  t.type(error.cause, ConnectionLost)

  broker.on(Metadata, (_, { socket }) => {
    socket.end(Buffer.from([0, 0, 1, 0, 0, 0]))
    return silence
  })
  const half = await failure(connect(t, broker.bootstrap).admin().describeCluster())
  t.match(half.message, /it ended inside a response/)

  let calls = 0
  broker.on(Metadata, (request) => (++calls === 1 ? hangUp : broker.metadata(request)))
  t.match(
    await connect(t, broker.bootstrap).admin().describeCluster(),
    { clusterId: 'scripted' },
    'the next try is good',
  )
})

t.test('versions', async (t) => {
  await t.test('a broker that does not know our ApiVersions is asked in its own', async (t) => {
    const broker = await ScriptedBroker.listen(t)
    broker.on(ApiVersions, (_, { version, socket }) => {
      if (version <= 2) return broker.apiVersions()
      // Version 0, whatever was asked (KIP-511), written by hand.
      const writer = new Writer()
      writer.int32(4 + 2 + 4 + 6)
      writer.int32(1)
      writer.int16(errorCode('UNSUPPORTED_VERSION'))
      writer.int32(1)
      writer.int16(18)
      writer.int16(0)
      writer.int16(2)
      socket.write(writer.toBuffer())
      return silence
    })
    t.match(await connect(t, broker.bootstrap).admin().describeCluster(), { clusterId: 'scripted' })
    t.same(broker.seen.map(({ api, version }) => `${api} ${version}`).slice(0, 2), [
      'ApiVersions 4',
      'ApiVersions 2',
    ])
  })
  await t.test('a broker that hangs up on it is asked in the oldest', async (t) => {
    const broker = await ScriptedBroker.listen(t)
    broker.on(ApiVersions, (_, { version }) => (version > 0 ? hangUp : broker.apiVersions()))
    t.match(await connect(t, broker.bootstrap).admin().describeCluster(), { clusterId: 'scripted' })
  })
  await t.test('a broker without an API, or with other versions of it', async (t) => {
    const broker = await ScriptedBroker.listen(t)
    broker.on(ApiVersions, () => broker.apiVersions((api) => api.name !== 'ListGroups'))
    const error = await failure(connect(t, broker.bootstrap).admin().listGroups())
    t.type(error, UnsupportedVersion)
    t.match(error.message, /does not serve ListGroups as this client speaks it: it does not serve it at all/)

    broker.on(ApiVersions, () => ({
      errorCode: 0,
      apiKeys: [{ apiKey: Metadata.key, minVersion: 90, maxVersion: 99 }],
    }))
    const newer = await failure(connect(t, broker.bootstrap).admin().describeCluster())
    t.match(newer.message, /it serves versions 90 to 99, wanted are 0 to 12/)
  })
  await t.test('an old broker is spoken to in its old versions', async (t) => {
    const broker = await ScriptedBroker.listen(t, { orders: 2 })
    broker.on(ApiVersions, () => ({
      errorCode: 0,
      apiKeys: broker
        .apiVersions()
        .apiKeys.map((row) => ({ ...row, maxVersion: Math.max(row.minVersion, 3) })),
    }))
    const client = connect(t, broker.bootstrap)
    t.equal((await client.admin().listTopics()).length, 1)
    t.match(await client.producer().send({ topic: 'orders', value: 'x', partition: 1 }), {
      offset: 0,
      partition: 1,
    })
    t.ok(broker.seen.every(({ api, version }) => api === 'ApiVersions' || version <= 3))
  })
})

t.test('a closed client', async (t) => {
  const broker = await ScriptedBroker.listen(t, { orders: 1 })
  broker.on(Metadata, () => stall)
  const client = connect(t, broker.bootstrap, { requestTimeoutMs: 60_000, callTimeoutMs: 60_000 })
  const producer = client.producer()
  const sent = failure(producer.send({ topic: 'orders', value: 'x' }))
  const described = failure(client.admin().describeCluster())
  await client.close({ timeoutMs: 50 })
  t.equal((await sent).code, 'CLIENT_CLOSED', 'ends what waits')
  t.equal((await described).code, 'CLIENT_CLOSED')
  t.equal((await failure(producer.send({ topic: 'orders', value: 'x' }))).code, 'CLIENT_CLOSED')
  t.throws(() => client.producer(), { code: 'CLIENT_CLOSED' })

  const unreachable = connect(t, '10.255.255.1:9092', { connectTimeoutMs: 60_000, callTimeoutMs: 60_000 })
  const waiting = failure(unreachable.admin().describeCluster())
  await unreachable.close()
  t.equal((await waiting).code, 'CLIENT_CLOSED', 'also while it connects')
})

t.test('wrong arguments name the setting', async (t) => {
  const cases: readonly [Partial<ClientOptions>, RegExp][] = [
    [{ bootstrap: '' }, /bootstrap/],
    [{ bootstrap: 'a:b:c' }, /'a:b:c' is not HOST:PORT/],
    [{ bootstrap: 'host:70000' }, /'host:70000' is not HOST:PORT/],
    [{ inFlightMax: 0 }, /inFlightMax must be a number of at least 1, not 0/],
    [{ requestTimeoutMs: -1 }, /requestTimeoutMs/],
  ]
  for (const [options, sentence] of cases) {
    t.throws(() => new Client({ bootstrap: 'x:1', ...options }), InvalidArgument)
    t.throws(() => new Client({ bootstrap: 'x:1', ...options }), { message: sentence })
  }
  const client = connect(t, 'x:1')
  t.throws(() => client.producer({ acks: 1, idempotent: true }), { message: /idempotent needs acks 'all'/ })
  t.throws(() => client.producer({ inFlightMax: 6 }), { message: /inFlightMax must be at most 5/ })
  t.throws(() => client.producer({ compression: 'zip' as 'gzip' }), { message: /compression must be one of/ })
  t.throws(() => client.consumer({}), { message: /needs topics or assignments/ })
  t.throws(() => client.consumer({ topics: ['a'], autoCommit: true }), {
    message: /autoCommit needs a groupId/,
  })
})
