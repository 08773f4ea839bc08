import t from 'tap'
import { Refused } from '../../src/base/errors.ts'
import { apiVersions } from '../../src/handlers/api-versions.ts'
import { handler, type NoResponse, noResponse } from '../../src/handlers/handler.ts'
import { NodeClock } from '../../src/io/node-clock.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import { ApiVersions } from '../../src/protocol/apis/api-versions.ts'
import { Heartbeat } from '../../src/protocol/apis/heartbeat.ts'
import { ListGroups } from '../../src/protocol/apis/list-groups.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import { SyncGroup } from '../../src/protocol/apis/sync-group.ts'
import { frameOf, startServer } from './fixture.ts'
import { turns } from './world.ts'

/** An answer that the test gives when it wants to. */
function later<T>() {
  const calls: { resolve: (value: T) => void; reject: (error: Error) => void }[] = []
  const wait = () => new Promise<T>((resolve, reject) => calls.push({ resolve, reject }))
  return { calls, wait }
}

const versions = apiVersions(() => [versions])
const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm' }
const beat = handler(Heartbeat, () => ({ errorCode: 0 }))
const produceRequest = { acks: -1, timeoutMs: 1000, topicData: [] }
/** Answers so many bytes as it is asked for, in the name of the group. */
const bytesAsked = handler(SyncGroup, ({ generationId }) => ({
  errorCode: 0,
  assignment: Buffer.alloc(generationId, generationId & 0xff),
}))
const sync = (bytes: number) => ({ groupId: 'g', generationId: bytes, memberId: 'm', assignments: [] })

t.test('requests are answered wherever the stream is cut', async (t) => {
  const { client, server } = await startServer([versions, beat])
  const stream = Buffer.concat([
    frameOf(ApiVersions, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' }, 7),
    frameOf(Heartbeat, 4, heartbeat, 8),
  ])
  for (let at = 1; at < stream.length; at++) {
    const one = await client()
    one.write(stream.subarray(0, at))
    one.write(stream.subarray(at))
    t.match(
      await one.answer(ApiVersions, 3),
      { correlationId: 7, response: { errorCode: 0 } },
      `cut at ${at}`,
    )
    t.match(await one.answer(Heartbeat, 4), { correlationId: 8, response: { errorCode: 0 } })
    one.end()
    await one.closed
  }
  const bytewise = await client()
  for (const byte of stream) bytewise.write(Buffer.of(byte))
  t.equal((await bytewise.answer(ApiVersions, 3))?.correlationId, 7)
  t.equal((await bytewise.answer(Heartbeat, 4))?.correlationId, 8)
  bytewise.end()
  await bytewise.closed
  await turns()
  t.same([server.connections, server.memory], [0, { requestBytes: 0, outboundBytes: 0 }], 'nothing is left')
})

t.test('answers leave in the order of the requests', async (t) => {
  t.test('produce requests are under way together, whoever is answered first', async (t) => {
    const { calls, wait } = later<{ responses: [] }>()
    const { client } = await startServer([handler(Produce, wait, { isPipelined: true }), beat])
    const one = await client()
    for (const id of [1, 2, 3]) one.ask(Produce, 9, produceRequest, id)
    one.ask(Heartbeat, 4, heartbeat, 4)
    await turns()
    t.equal(calls.length, 3, 'all have started')
    calls[2]?.resolve({ responses: [] })
    calls[1]?.resolve({ responses: [] })
    await turns()
    t.equal(one.unread, 0, 'nothing overtakes the first')
    calls[0]?.resolve({ responses: [] })
    const ids = []
    for (const api of [Produce, Produce, Produce, Heartbeat] as const) {
      ids.push(
        (await one.answer<typeof Produce | typeof Heartbeat>(api, api === Produce ? 9 : 4))?.correlationId,
      )
    }
    t.same(ids, [1, 2, 3, 4])
  })
  t.test('any other request waits for those before it, and lets none pass', async (t) => {
    const lists = later<{ errorCode: number; groups: [] }>()
    const produces = later<{ responses: [] }>()
    let beats = 0
    const { client } = await startServer([
      handler(ListGroups, lists.wait),
      handler(Produce, produces.wait, { isPipelined: true }),
      handler(Heartbeat, () => ({ errorCode: ++beats })),
    ])
    const one = await client()
    one.ask(ListGroups, 4, {}, 1)
    one.ask(Produce, 9, produceRequest, 2)
    one.ask(Heartbeat, 4, heartbeat, 3)
    one.ask(Heartbeat, 4, heartbeat, 4)
    const started = async () => {
      await turns()
      return [lists.calls.length, produces.calls.length, beats]
    }
    t.same(await started(), [1, 0, 0])
    lists.calls[0]?.resolve({ errorCode: 0, groups: [] })
    t.same(await started(), [1, 1, 0])
    produces.calls[0]?.resolve({ responses: [] })
    t.same(await started(), [1, 1, 2])
    t.equal((await one.answer(ListGroups, 4))?.correlationId, 1)
    t.equal((await one.answer(Produce, 9))?.correlationId, 2)
    t.match(await one.answer(Heartbeat, 4), { correlationId: 3, response: { errorCode: 1 } })
    t.match(await one.answer(Heartbeat, 4), { correlationId: 4, response: { errorCode: 2 } })
  })
  t.test('what has no answer leaves no gap', async (t) => {
    const quiet = handler(Produce, () => noResponse, { isPipelined: true })
    const { client } = await startServer([quiet, beat])
    const one = await client()
    one.ask(Heartbeat, 4, heartbeat, 1)
    one.ask(Produce, 9, { ...produceRequest, acks: 0 }, 2)
    one.ask(Heartbeat, 4, heartbeat, 3)
    t.equal((await one.answer(Heartbeat, 4))?.correlationId, 1)
    t.equal((await one.answer(Heartbeat, 4))?.correlationId, 3)
  })
})

t.test(
  'an unknown version of ApiVersions is answered in the form of version 0, and may be asked again',
  async (t) => {
    const { client, events } = await startServer([versions, beat])
    const one = await client()
    const unknown = frameOf(ApiVersions, 4, { clientSoftwareName: 'x', clientSoftwareVersion: '9' }, 11)
    unknown.writeInt16BE(99, 4 + 2)
    one.write(unknown)
    t.equal((await one.frame())?.toString('hex'), '0000000b' + '0023' + '00000001' + '0012' + '0000' + '0004')
    one.ask(ApiVersions, 4, { clientSoftwareName: 'test', clientSoftwareVersion: '1' }, 12)
    t.match(await one.answer(ApiVersions, 4), { correlationId: 12, response: { errorCode: 0 } })
    one.ask(ApiVersions, 3, { clientSoftwareName: 'not a name!', clientSoftwareVersion: '1' }, 13)
    t.match(await one.answer(ApiVersions, 3), { response: { errorCode: 42, apiKeys: [] } })
    t.same(events, [])
  },
)

t.test('what makes no sense closes that one connection, with one line that says why', async (t) => {
  const failing = handler(ListGroups, () => Promise.reject(new TypeError('a bug')))
  const refusing = handler(Produce, () => {
    throw new Refused('NOT_LEADER_OR_FOLLOWER', 'partition 3')
  })
  const { client, events, server } = await startServer([versions, beat, failing, refusing])
  const bystander = await client()
  const good = frameOf(Heartbeat, 4, heartbeat, 1)
  const withApi = (key: number, version: number) => {
    const frame = Buffer.from(good)
    frame.writeInt16BE(key, 4)
    frame.writeInt16BE(version, 6)
    return frame
  }
  const malformed = Buffer.from(good.subarray(0, good.length - 3))
  malformed.writeInt32BE(malformed.length - 4, 0)
  const cases: [string, Buffer, string, RegExp][] = [
    ['a negative size', Buffer.from('ffffffff', 'hex'), 'frame.size', /-1 bytes/],
    ['an oversized frame', Buffer.from('7fffffff', 'hex'), 'frame.size', /2147483647 bytes/],
    ['TLS', Buffer.from('160301020001000101', 'hex'), 'frame.foreign', /TLS/],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'frame.foreign', /HTTP/],
    ['an unknown API', withApi(999, 0), 'request.refused', /API 999/],
    ['an unknown version', withApi(Heartbeat.key, 77), 'request.refused', /Heartbeat v77 .* v0 to v4/],
    ['a frame that is too short', Buffer.from('00000001ff', 'hex'), 'request.malformed', /apiKey/],
    ['a body that is cut', malformed, 'request.malformed', /Heartbeat v4/],
    ['a bug of ours', frameOf(ListGroups, 4, {}), 'request.failed', /a bug/],
    ['a refusal without an answer', frameOf(Produce, 9, produceRequest), 'request.refused', /partition 3/],
  ]
  for (const [name, bytes, event, message] of cases) {
    events.length = 0
    const one = await client()
    one.write(Buffer.concat([frameOf(ApiVersions, 0, {}, 5), bytes, good]))
    const first = await one.frame()
    if (!event.startsWith('frame.foreign'))
      t.equal(first?.readInt32BE(0), 5, `${name}: what came before is answered`)
    t.equal(await one.frame(), null, `${name}: the connection ends`)
    if (event !== 'frame.foreign') t.match(events, [{ event, message }], name)
  }
  for (const [name, bytes, event, message] of cases.filter(([, , event]) => event === 'frame.foreign')) {
    events.length = 0
    const one = await client()
    one.write(bytes)
    t.equal(await one.frame(), null)
    t.match(events, [{ event, message }], name)
  }
  bystander.ask(Heartbeat, 4, heartbeat, 9)
  t.equal((await bystander.answer(Heartbeat, 4))?.correlationId, 9, 'others do not notice')
  await turns()
  t.same([server.connections, server.memory.requestBytes], [1, 0])
})

t.test('a request that failed takes those after it along, not those before', async (t) => {
  const { calls, wait } = later<{ responses: [] }>()
  const { client, server } = await startServer([handler(Produce, wait, { isPipelined: true })])
  const one = await client()
  for (const id of [1, 2, 3]) one.ask(Produce, 9, produceRequest, id)
  await turns()
  calls[1]?.reject(new Refused('UNKNOWN_SERVER_ERROR'))
  await turns()
  calls[2]?.resolve({ responses: [] })
  calls[0]?.resolve({ responses: [] })
  t.equal((await one.answer(Produce, 9))?.correlationId, 1)
  t.equal(await one.frame(), null)
  await turns()
  t.same(server.memory, { requestBytes: 0, outboundBytes: 0 })
})

t.test('a flood of bad connections does not flood the log', async (t) => {
  const { client, events, clock } = await startServer([versions])
  const flood = async () => {
    for (let i = 0; i < 50; i++) {
      const one = await client()
      one.write(Buffer.from('ffffffff', 'hex'))
      await one.closed
    }
  }
  await flood()
  t.equal(events.length, 10)
  await clock.advance(1000)
  await flood()
  t.equal(events.length, 20)
  t.match(events[10], { event: 'frame.size', suppressed: 40 }, 'what was held back is counted')
})

t.test('pipelined requests are bounded, for a connection and over all', async (t) => {
  const { calls, wait } = later<{ responses: [] }>()
  const limits = { 'lograft.connection.requests.max': '4', 'queued.max.requests': '5' }
  const { client } = await startServer([handler(Produce, wait, { isPipelined: true })], limits)
  const [one, two] = [await client(), await client()]
  for (let id = 1; id <= 10; id++) one.ask(Produce, 9, produceRequest, id)
  await turns()
  t.equal(calls.length, 4, 'of a connection')
  for (let id = 1; id <= 10; id++) two.ask(Produce, 9, produceRequest, id)
  await turns()
  t.equal(calls.length, 4 + 3, 'over all: the first of each, and five')
  const three = await client()
  three.ask(Produce, 9, produceRequest, 1)
  await turns()
  t.equal(calls.length, 8, 'the first of a connection always starts')
  for (let done = 0; done < 21; done++) {
    calls[done]?.resolve({ responses: [] })
    await turns(4)
  }
  const ids: (number | undefined)[] = []
  for (let i = 0; i < 10; i++) ids.push((await two.answer(Produce, 9))?.correlationId)
  t.same(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'all get their turn')
})

t.test('a slow reader is held up, keeps everything, and in the end is dropped', async (t) => {
  const mebibyte = 1024 * 1024
  let asked = 0
  const big = handler(SyncGroup, ({ generationId }) => {
    asked++
    return { errorCode: 0, assignment: Buffer.alloc(mebibyte, generationId) }
  })
  const limits = {
    'lograft.connection.outbound.bytes.max': String(2 * mebibyte),
    'lograft.connection.stalled.ms': '60000',
  }
  const { client, server, clock, events } = await startServer([big], limits)
  const slow = await client()
  slow.pause()
  for (let id = 1; id <= 20; id++) slow.ask(SyncGroup, 3, sync(id), id)
  await turns()
  t.ok(asked >= 2 && asked <= 4, `requests wait while the reader is behind: ${asked} of 20 were answered`)
  t.ok(server.memory.outboundBytes <= 4 * mebibyte, `held: ${server.memory.outboundBytes}`)
  slow.resume()
  for (let id = 1; id <= 20; id++) {
    const answer = await slow.answer(SyncGroup, 3)
    const { length, 0: first, [mebibyte - 1]: last } = answer?.response.assignment ?? Buffer.alloc(0)
    t.same([answer?.correlationId, length, first, last], [id, mebibyte, id, id])
  }
  t.equal(server.memory.outboundBytes, 0)

  slow.pause()
  for (let id = 1; id <= 20; id++) slow.ask(SyncGroup, 3, sync(id), id)
  await turns()
  await clock.advance(59_000)
  t.equal(server.connections, 1)
  await clock.advance(3_000)
  t.equal(server.connections, 0, 'it took nothing for a minute')
  t.match(events, [{ event: 'connection.stalled' }])
  t.equal(server.memory.outboundBytes, 0)
})

t.test('answers under way, and those that wait for slow readers, leave less room for others', async (t) => {
  const limits = { 'lograft.responses.bytes.max': '1048576' }
  t.test('while they wait', async (t) => {
    const granted: number[] = []
    const big = handler(SyncGroup, (_, { reserve }) => {
      granted.push(reserve(2_000_000))
      return { errorCode: 0, assignment: Buffer.alloc(800_000) }
    })
    const { client } = await startServer([big], limits)
    for (const one of [await client(), await client(), await client()]) {
      one.pause()
      one.ask(SyncGroup, 3, sync(1))
      await turns()
    }
    t.equal(granted[0], 1_048_576)
    t.ok((granted[1] ?? 0) < 300_000 && (granted[1] ?? 0) > 200_000, String(granted[1]))
    t.equal(granted[2], 0)
  })
  t.test('while they are made, until they are, or have failed, or nobody waits any more', async (t) => {
    const granted: number[] = []
    const { calls, wait } = later<{ errorCode: number; groups: [] }>()
    const slow = handler(ListGroups, (_, { reserve }) => {
      granted.push(reserve(800_000))
      return wait()
    })
    const { client, server } = await startServer([slow], limits)
    const [one, two, three] = [await client(), await client(), await client()]
    for (const each of [one, two, three]) each.ask(ListGroups, 4, {})
    await turns()
    t.same(granted, [800_000, 248_576, 0])
    calls[0]?.resolve({ errorCode: 0, groups: [] })
    calls[1]?.reject(new Error('it failed'))
    await turns()
    one.ask(ListGroups, 4, {})
    await turns()
    t.equal(granted[3], 800_000)
    one.end()
    await one.closed
    await turns()
    t.equal(server.memory.outboundBytes, 0)
  })
})

t.test('what a connection waited for is let go when it is gone', async (t) => {
  const parked: string[] = []
  const waits = handler(ListGroups, async (_, { broker, connection }): Promise<NoResponse> => {
    const maxWaitMs = 60_000
    parked.push(await broker.purgatory.park({ connection, maxWaitMs, wants: [], isDue: () => false }))
    return noResponse
  })
  const { client, clock } = await startServer([waits])
  const [one, two] = [await client(), await client()]
  one.ask(ListGroups, 4, {})
  two.ask(ListGroups, 4, {})
  await turns()
  one.end()
  await one.closed
  await turns()
  t.same(parked, ['abandoned'])
  await clock.advance(60_000)
  t.same(parked, ['abandoned', 'timeout'])
})

t.test('connections are bounded, over all and from one address', async (t) => {
  for (const setting of ['max.connections', 'max.connections.per.ip']) {
    const { client, events, server } = await startServer([versions], { [setting]: '2' })
    const [one, two] = [await client(), await client()]
    const refused = await client()
    await refused.closed
    t.match(events, [
      { event: 'connection.refused', message: new RegExp(`\\(${setting.replaceAll('.', '\\.')}\\)`) },
    ])
    t.equal(server.connections, 2)
    one?.end()
    await one?.closed
    await turns()
    const next = await client()
    next.ask(ApiVersions, 0, {}, 3)
    t.equal((await next.answer(ApiVersions, 0))?.correlationId, 3, 'a place is free again')
    two?.ask(ApiVersions, 0, {}, 4)
    t.equal((await two?.answer(ApiVersions, 0))?.correlationId, 4)
  }
})

t.test('time runs out', async (t) => {
  t.test('for an idle connection, not for one that waits for its answer', async (t) => {
    const { calls, wait } = later<{ errorCode: number; groups: [] }>()
    const { client, clock, events } = await startServer([versions, handler(ListGroups, wait)])
    const [idle, waits] = [await client(), await client()]
    idle.ask(ApiVersions, 0, {})
    await idle.frame()
    waits.ask(ListGroups, 4, {}, 5)
    await clock.advance(599_000)
    t.notOk(idle.isClosed)
    await clock.advance(3_000)
    t.ok(idle.isClosed)
    t.notOk(waits.isClosed)
    t.match(events, [{ event: 'connection.idle', level: 'debug' }])
    calls[0]?.resolve({ errorCode: 0, groups: [] })
    t.equal((await waits.answer(ListGroups, 4))?.correlationId, 5)
  })
  t.test('for half a frame, unless it grows', async (t) => {
    const { client, clock, events } = await startServer([bytesAsked])
    const [stuck, slow] = [await client(), await client()]
    const frame = frameOf(SyncGroup, 3, {
      ...sync(5),
      assignments: [{ memberId: 'm', assignment: Buffer.alloc(500_000) }],
    })
    stuck.write(frame.subarray(0, 100))
    for (let at = 0; at < frame.length; at += 70_000) {
      slow.write(frame.subarray(at, at + 70_000))
      if (at === 0) await turns()
      else await clock.advance(20_000)
    }
    t.match(await slow.answer(SyncGroup, 3), { response: { assignment: Buffer.alloc(5, 5) } })
    t.ok(stuck.isClosed)
    t.match(events, [{ event: 'frame.late', message: /100 bytes/ }])
  })
})

t.test('memory of requests over all connections', async (t) => {
  const { client, server } = await startServer([bytesAsked], { 'lograft.requests.bytes.max': '1048576' })
  const assignments = [{ memberId: 'm', assignment: Buffer.alloc(700_000) }]
  const big = frameOf(SyncGroup, 3, { ...sync(3), assignments })
  const many = await Promise.all(Array.from({ length: 10 }, () => client()))
  for (const one of many) {
    for (let at = 0; at < big.length - 1; at += 65_536)
      one.write(big.subarray(at, Math.min(at + 65_536, big.length - 1)))
  }
  await turns()
  t.ok(
    server.memory.requestBytes < 1_048_576 + 700_000 + 10 * 65_536,
    `ten half frames of 700 kB: ${server.memory.requestBytes} bytes held`,
  )
  for (const one of many) one.write(big.subarray(-1))
  for (const one of many) t.match(await one.answer(SyncGroup, 3), { response: { errorCode: 0 } })
  t.equal(server.memory.requestBytes, 0)
})

t.test('closing answers what is under way, and drops what does not end in time', async (t) => {
  const { calls, wait } = later<{ errorCode: number; groups: [] }>()
  const { client, server, clock, events } = await startServer([versions, handler(ListGroups, wait)])
  const [idle, busy, hung] = [await client(), await client(), await client()]
  busy.ask(ListGroups, 4, {}, 1)
  hung.ask(ListGroups, 4, {}, 2)
  busy.ask(ListGroups, 4, {}, 3)
  await turns()
  let isClosed = false
  const closing = server.close(8000).then(() => {
    isClosed = true
  })
  await idle.closed
  t.notOk(busy.isClosed)
  await t.rejects(client(), { name: 'Faulted' }, 'nobody is let in')
  calls[0]?.resolve({ errorCode: 0, groups: [] })
  t.equal((await busy.answer(ListGroups, 4))?.correlationId, 1)
  t.equal(await busy.frame(), null, 'what had not started is not')
  t.equal(calls.length, 2)
  await clock.advance(7000)
  t.notOk(isClosed)
  await clock.advance(1000)
  await closing
  t.ok(hung.isClosed)
  t.same([server.connections, clock.pendingTimers, events], [0, 0, []])
})

t.test('over real sockets', async (t) => {
  const mebibyte = 1024 * 1024
  const world = { net: new NodeNet(), clock: new NodeClock() }
  const { client, server } = await startServer([versions, beat, bytesAsked], {}, world)
  t.teardown(() => server.close(1000))
  const one = await client()
  for (const byte of frameOf(Heartbeat, 4, heartbeat, 1)) one.write(Buffer.of(byte))
  t.equal((await one.answer(Heartbeat, 4))?.correlationId, 1)
  const frames = Array.from({ length: 300 }, (_, id) => frameOf(Heartbeat, 4, heartbeat, id))
  one.write(Buffer.concat(frames))
  for (let id = 0; id < 300; id++) t.equal((await one.answer(Heartbeat, 4))?.correlationId, id)
  one.pause()
  for (let id = 0; id < 8; id++) one.ask(SyncGroup, 3, sync(3 * mebibyte + id), id)
  one.resume()
  for (let id = 0; id < 8; id++) {
    const assignment = (await one.answer(SyncGroup, 3))?.response.assignment
    t.ok(assignment?.equals(Buffer.alloc(3 * mebibyte + id, id)), `large answer ${id}`)
  }
  const bad = await client()
  bad.write(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  await bad.closed
  one.end()
  await one.closed
})

t.test('over real sockets nobody has a turn of the event loop for himself', async (t) => {
  const requestsMax = 16
  /** Who was served, in order; how much in one round of the event loop. */
  const served: string[] = []
  let [inRound, mostInRound, bytesInRound, mostBytes] = [0, 0, 0, 0]
  const serve = (name: string, bytes: number): void => {
    served.push(name)
    mostInRound = Math.max(mostInRound, ++inRound)
    bytesInRound += bytes
    mostBytes = Math.max(mostBytes, bytesInRound)
  }
  const who = handler(Heartbeat, ({ memberId }) => {
    serve(memberId, 0)
    return { errorCode: 0 }
  })
  const large = handler(
    Produce,
    ({ topicData }) => {
      serve('greedy', topicData[0]?.partitionData[0]?.records?.[0]?.length ?? 0)
      return { responses: [] }
    },
    { isPipelined: true },
  )
  const settings = {
    'lograft.connection.turn.requests.max': String(requestsMax),
    'lograft.connection.turn.bytes.max': '300000',
    'lograft.turn.ms.max': '1000',
  }
  const { client, server } = await startServer([who, large], settings, {
    net: new NodeNet(),
    clock: new NodeClock(),
  })
  t.teardown(() => server.close(1000))
  let round = setImmediate(function next() {
    inRound = bytesInRound = 0
    round = setImmediate(next)
  })
  t.teardown(() => clearImmediate(round))
  const [greedy, patient] = [await client(), await client()]
  const one = frameOf(Heartbeat, 4, { ...heartbeat, memberId: 'greedy' })
  const count = 4000
  greedy.write(Buffer.concat(Array.from({ length: count }, () => one)))
  patient.ask(Heartbeat, 4, { ...heartbeat, memberId: 'patient' }, 7)
  t.equal((await patient.answer(Heartbeat, 4))?.correlationId, 7)
  t.ok(served.indexOf('patient') < count / 4, `behind ${served.indexOf('patient')} of ${count}`)
  for (let i = 0; i < count; i++) await greedy.frame()
  // A turn of ours may end in the middle of a round.
  t.ok(mostInRound <= 2 * requestsMax + 1, `${mostInRound} requests in one round of the event loop`)

  mostBytes = 0
  const records = [Buffer.alloc(100_000)]
  const big = frameOf(Produce, 7, {
    acks: 1,
    timeoutMs: 1000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
  })
  for (let i = 0; i < 200; i++) greedy.write(big)
  for (let i = 0; i < 200; i++) await greedy.frame()
  t.ok(mostBytes <= 2 * (300_000 + 256 * 1024), `${mostBytes} bytes in one round of the event loop`)
})

t.test('a thousand readers that take nothing, and one that does', async (t) => {
  const [wanted, batch, responseBytes] = [1_000_000, 70_000, 16 * 1024 * 1024]
  const limits = {
    'lograft.responses.bytes.max': String(responseBytes),
    'lograft.connection.stalled.ms': '60000',
  }
  // As a fetch does: what is granted, and one batch where that is less.
  const fetches = handler(SyncGroup, (_, { reserve }) => ({
    errorCode: 0,
    assignment: Buffer.alloc(Math.max(batch, reserve(wanted))),
  }))
  const { client, server, clock, events } = await startServer([fetches], limits)
  const slow = await Promise.all(Array.from({ length: 1000 }, () => client()))
  for (const one of slow) {
    one.pause()
    for (let id = 1; id <= 20; id++) one.ask(SyncGroup, 3, sync(1), id)
  }
  await turns(200)
  const held = server.memory.outboundBytes
  t.ok(held > responseBytes, `the memory is used: ${held}`)
  t.ok(held <= responseBytes + 1000 * (batch + 100), `and one batch each: ${held}`)
  const reader = await client()
  for (let id = 1; id <= 20; id++) reader.ask(SyncGroup, 3, sync(1), id)
  for (let id = 1; id <= 20; id++) t.equal((await reader.answer(SyncGroup, 3))?.correlationId, id)
  await clock.advance(59_000)
  await clock.advance(3_000)
  t.same([server.connections, server.memory.outboundBytes], [1, 0], 'all but the reader are dropped')
  t.ok(events.length <= 30, `which takes ${events.length} lines, not a thousand`)
})
