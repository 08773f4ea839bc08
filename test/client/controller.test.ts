/** Calls of administrators: those that only the controller can answer, while that changes or goes; those that fail in parts. */
import t, { type Test } from 'tap'
import { Client } from '../../client/client.ts'
import { errorCode } from '../../src/base/error-codes.ts'
import { CreatePartitions } from '../../src/protocol/apis/create-partitions.ts'
import { Metadata } from '../../src/protocol/apis/metadata.ts'
import { UnregisterBroker } from '../../src/protocol/apis/unregister-broker.ts'
import { hangUp, ScriptedBroker } from './scripted-broker.ts'

/** Brokers 1 and 2; 1 is the controller as long as it is there. */
async function start(t: Test) {
  const [first, second] = [await ScriptedBroker.listen(t), await ScriptedBroker.listen(t)]
  let controllerId = 1
  const ports = [first.port, second.port]
  for (const broker of [first, second]) {
    broker.on(Metadata, (request) => ({
      ...broker.metadata(request),
      controllerId,
      brokers: ports.map((port, at) => ({ nodeId: at + 1, host: '127.0.0.1', port, rack: null })),
    }))
  }
  const client = new Client({
    bootstrap: `${first.bootstrap},${second.bootstrap}`,
    requestTimeoutMs: 500,
    callTimeoutMs: 5_000,
    retryBackoffMs: 10,
  })
  t.teardown(() => client.close())
  const leave = (): typeof hangUp => {
    controllerId = 2
    void first.close()
    return hangUp
  }
  return { first, second, admin: client.admin(), leave }
}

t.test('a controller that goes: its successor is asked', async (t) => {
  const { first, second, admin, leave } = await start(t)
  first.on(CreatePartitions, leave)
  second.on(CreatePartitions, ({ topics }) => ({
    results: topics.map(({ name }) => ({ name, errorCode: 0, errorMessage: null })),
  }))
  await admin.createPartitions('orders', 3)
  t.equal(first.seen.filter(({ api }) => api === 'CreatePartitions').length, 1)
  t.equal(second.seen.filter(({ api }) => api === 'CreatePartitions').length, 1)
})

t.test('a controller that takes itself out may be gone before it has said so', async (t) => {
  const { first, second, admin, leave } = await start(t)
  const unknown = {
    errorCode: errorCode('BROKER_ID_NOT_REGISTERED'),
    errorMessage: 'broker 1 is not registered',
  }
  first.on(UnregisterBroker, leave)
  second.on(UnregisterBroker, () => unknown)
  await admin.unregisterBroker(1)
  t.equal(second.seen.filter(({ api }) => api === 'UnregisterBroker').length, 1)
  await t.rejects(admin.unregisterBroker(1), { code: 'BROKER_ID_NOT_REGISTERED' }, 'who asks again is told')
})

t.test('of many that failed the message tells a few, the error all', async (t) => {
  const { admin } = await start(t)
  const names = Array.from({ length: 8 }, (_, at) => `absent-${at}`)
  const error = await admin.describeTopics(names).then(
    () => null,
    (thrown: Error) => thrown,
  )
  t.match(error, { name: 'PartialFailure', message: /^topic absent-0: .*topic absent-4: .*; and 3 more$/ })
  t.notMatch(error?.message, /absent-5/)
  t.match(error, { errors: { length: 8 } })
})
