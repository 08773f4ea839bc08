/** Two networks and what can come between them, on a simulated net. */
import t from 'tap'
import { Refused } from '../../src/base/errors.ts'
import type { Connection, Net } from '../../src/io/world.ts'
import { beginFrame, emptyFrame, endFrame } from '../../src/peers/frames.ts'
import { frameKinds, peerVersions, prefixBytes } from '../../src/protocol/peer/frame.ts'
import { hello, refusalReasons } from '../../src/protocol/peer/handshake.ts'
import { stamp } from '../../src/records/batch.ts'
import type { PeerMessage } from '../../src/replica/outbox.ts'
import { batchOf } from '../replica/fixture.ts'
import { clusterId, diskIdOf, meet, type Node, peerSettings, Stage, topic } from './fixture.ts'

const replica = `${topic}-0`
const beat = (highWatermark: number): PeerMessage => {
  return { replica, message: { type: 'heartbeat', epoch: 1, sentMs: 0, highWatermark, session: 0 } }
}
const batch = batchOf('v'.repeat(50_000))
stamp(batch, 0, { baseOffset: 0, leaderEpoch: 1 })
const append = (from: number, batches = [batch]): PeerMessage => {
  const fields = {
    epoch: 1,
    from,
    fromEpoch: 1,
    attempt: 0,
    highWatermark: 0,
    runs: [{ epoch: 1, until: from + 1 }],
  }
  return { replica, message: { type: 'append', ...fields, entries: { marks: [], batches } } }
}

function positions({ got }: Node): number[] {
  return got.map(({ message }) =>
    message.type === 'append' ? message.from : 'highWatermark' in message ? message.highWatermark : -1,
  )
}

async function refusal(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'answered',
    (refused: Refused) => refused.code,
  )
}

t.test('what one sends the other hears, each lane in order; connections are said once', async (t) => {
  const stage = new Stage(1, { delayMs: 1, jitterMs: 5 })
  const [one, two] = await stage.pair()
  t.ok(one.network.isConnected(2) && two.network.isConnected(1))
  for (let i = 0; i < 50; i++) {
    one.network.send(2, [beat(i), append(1000 + i), beat(i + 100)])
    two.network.send(1, [beat(i)])
    await stage.clock.advance(i % 4)
  }
  await stage.clock.advance(200)
  const heard = positions(two)
  t.same(
    heard.filter((at) => at >= 1000),
    Array.from({ length: 50 }, (_, i) => 1000 + i),
  )
  t.same(
    heard.filter((at) => at < 1000),
    Array.from({ length: 50 }, (_, i) => [i, i + 100]).flat(),
  )
  t.same(
    positions(one),
    Array.from({ length: 50 }, (_, i) => i),
  )
  t.ok(two.got.every(({ from }) => from === 1))
  t.same(one.said('peer.connected'), ['connected to node 2'])
  t.equal(stage.net.connections, 8, 'two lanes from each, two ends')
  await stage.clock.advance(10_000)
  t.ok(one.network.isConnected(2), 'silence of replicas is no silence of the network')
  await stage.close(one, two)
  t.equal(stage.net.connections, 0)
  t.equal(stage.clock.pendingTimers, 0, 'nothing is left')
  t.same(
    one.events.map(({ event }) => event),
    ['peer.connected'],
  )
})

t.test('messages to replicas that are not here make nothing, and are counted (R-33)', async (t) => {
  const stage = new Stage()
  const [one, two] = await stage.pair()
  const other = '00000000-0000-4000-8000-000000000bad-0'
  one.network.send(2, [beat(1), { ...beat(2), replica: other }, { ...append(3), replica: other }])
  await stage.clock.advance(50)
  t.equal(two.network.unknownReplicas, 2)
  t.equal(two.got.length, 3)
  one.network.send(9, [beat(1)])
  await stage.close(one, two)
})

t.test('connections that break are made again, and the replicas hear of it', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const stage = new Stage(seed, { delayMs: 1, jitterMs: 3, chunkBytesMax: 20_000 })
    const [one, two] = await stage.pair()
    one.network.send(2, [append(1), append(2)])
    await stage.clock.advance(seed % 4)
    stage.net.reset('n1', 'n2')
    await stage.clock.advance(300)
    t.ok(one.network.isConnected(2) && two.network.isConnected(1), `seed ${seed}`)
    t.ok(one.lost.includes(2) && two.lost.includes(1))
    t.equal(one.said('peer.disconnected').length, 1, 'said once')
    two.got.length = 0
    one.network.send(2, [append(7), beat(8)])
    await stage.clock.advance(100)
    t.same(positions(two).toSorted(), [7, 8])
    await stage.close(one, two)
  }
})

t.test('a process that has ended is told from one that is out of reach', async (t) => {
  const stage = new Stage()
  const [one, two] = await stage.pair()
  stage.net.cut('n1', 'n2')
  await stage.clock.advance(10_000)
  t.same(one.gone, [], 'nothing is heard of it: it may live')
  stage.net.healAll()
  await stage.clock.advance(3000)
  t.ok(one.network.isConnected(2))
  stage.net.kill('n2')
  void two.network.close()
  await stage.clock.advance(200)
  t.same(new Set(one.gone), new Set([2]), 'nobody listens where it did')
  await stage.close(one)
})

t.test('a cut is noticed by silence, in whatever direction; healed, they meet again', async (t) => {
  for (const directions of [
    [true, false],
    [false, true],
    [true, true],
  ]) {
    const stage = new Stage()
    const [one, two] = await stage.pair()
    if (directions[0]) stage.net.cut('n1', 'n2')
    if (directions[1]) stage.net.cut('n2', 'n1')
    await stage.clock.advance(2 * peerSettings.idleTimeoutMs)
    t.notOk(one.network.isConnected(2) || two.network.isConnected(1), 'TCP needs both')
    t.equal(one.said('peer.disconnected').length, 1)
    t.match(
      one.said('peer.disconnected')[0],
      directions[0] === true && directions[1] === false ? /closed/ : /no answer for 400 ms/,
    )
    one.network.send(2, [beat(1)])
    stage.net.healAll()
    one.lost.length = 0
    await stage.clock.advance(1500)
    t.ok(one.network.isConnected(2) && two.network.isConnected(1))
    t.same(one.lost, [2], 'what was dropped meanwhile is sent again now')
    t.equal(two.got.length, 0)
    await stage.close(one, two)
  }
})

t.test('a machine that vanished and came back as a new process, elsewhere', async (t) => {
  const stage = new Stage()
  const [one, two] = await stage.pair()
  stage.net.vanish('n2')
  void two.network.close()
  await stage.clock.advance(2000)
  t.notOk(one.network.isConnected(2))
  t.match(one.said('peer.unreachable'), [/node 2 at n2:\d+ cannot be reached: ETIMEDOUT/])
  stage.net.comeBack('n2')
  const again = await stage.node({ id: 2 })
  t.not(again.port, two.port)
  again.network.setPeers([one.peer])
  await stage.clock.advance(500)
  t.ok(again.network.isConnected(1))
  t.ok(one.network.isConnected(2), 'its greeting says where it listens now')
  one.network.setPeers([again.peer])
  await stage.clock.advance(500)
  t.ok(one.network.isConnected(2), 'and what was open stays')
  await stage.close(one, again)
})

t.test('strangers are refused, with one clear event on either side', async (t) => {
  const cases: [string, Partial<Parameters<Stage['node']>[0]>, RegExp, RegExp][] = [
    [
      'of another cluster',
      { clusterId: 'c2' },
      /it belongs to cluster c2, and this broker to c1/,
      /another cluster/,
    ],
    [
      'with another disk (R-32)',
      { diskId: diskIdOf(7) },
      /comes with disk .*7, and is known with disk .*2/,
      /another disk/,
    ],
    ['with another secret', { secret: 'guess' }, /does not know the secret/, /does not know the secret/],
    ['without a secret', {}, /./, /./],
  ]
  for (const [name, options, ours, theirs] of cases) {
    const secret = name.includes('secret') ? 'the secret' : undefined
    const stage = new Stage()
    const one = await stage.node({ id: 1, ...(secret === undefined ? {} : { secret }) })
    const two = await stage.node({ id: 2, ...options })
    one.network.setPeers([{ ...two.peer, diskId: diskIdOf(2) }])
    two.network.setPeers([one.peer])
    await stage.clock.advance(1000)
    one.network.send(2, [beat(1)])
    two.network.send(1, [beat(1)])
    await stage.clock.advance(1000)
    t.notOk(one.network.isConnected(2) || two.network.isConnected(1), name)
    t.equal(one.got.length + two.got.length, 0)
    t.match(one.said('peer.refused').join(), ours, name)
    t.match(two.said('peer.refused').join(), theirs, name)
    for (const node of [one, two]) {
      const all = node.events.map(({ event }) => event)
      t.ok(
        all.length >= 1 && all.length <= 2 && all.every((event) => event === 'peer.refused'),
        `${name}: ${all}`,
      )
    }
    await stage.close(one, two)
  }
})

t.test('a node that answers for another', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1 })
  const two = await stage.node({ id: 2 })
  one.network.setPeers([two.peer, { ...two.peer, id: 5 }])
  two.network.setPeers([one.peer])
  await stage.clock.advance(3000)
  t.match(one.said('peer.refused'), [
    /a broker at n2 is refused|node 5 at n2:\d+ refuses this broker: it is not the broker/,
  ])
  t.match(two.said('peer.refused'), [/node 1 looks for node 5, and this is 2/])
  t.ok(one.network.isConnected(2))
  await stage.close(one, two)
})

t.test('a node that nobody knows is a guest: it may ask to join, and say nothing', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1 })
  const three = await stage.node({ id: 3 })
  one.network.handle(1, async () => Buffer.from('welcome'), { guests: true })
  one.network.handle(2, async () => Buffer.from('secret'))
  one.network.setPeers([])
  three.network.setPeers([one.peer])
  await stage.clock.advance(1000)
  t.ok(three.network.isConnected(1))
  const asked = three.network.call(1, 1, Buffer.alloc(0), 1000)
  const refused = three.network.call(1, 2, Buffer.alloc(0), 1000).catch((error: unknown) => error)
  three.network.send(1, [beat(1)])
  await stage.clock.advance(100)
  t.equal(String(await asked), 'welcome')
  t.match(await refused, { code: 'UNSUPPORTED_VERSION' })
  t.same(one.got, [], 'nothing that it says reaches a quorum')
  one.network.setPeers([three.peer])
  await stage.clock.advance(1000)
  three.network.send(1, [beat(2)])
  await stage.clock.advance(100)
  t.equal(one.got.length, 1, 'until it is one of them')
  await stage.close(one, three)
})

t.test('a disk that nobody has told of is learned from the first, and holds', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1, clusterId: '' })
  const two = await stage.node({ id: 2 })
  one.network.setPeers([{ ...two.peer, diskId: null }])
  two.network.setPeers([one.peer])
  await stage.clock.advance(100)
  t.ok(one.network.isConnected(2), 'a cluster that has not formed has no id yet')
  t.equal(one.network.diskIdOf(2), diskIdOf(2))
  stage.net.kill('n2')
  void two.network.close()
  const wiped = await stage.node({ id: 2, diskId: diskIdOf(8) })
  wiped.network.setPeers([one.peer])
  await stage.clock.advance(1000)
  t.notOk(one.network.isConnected(2))
  t.match(one.said('peer.refused').join(), /is known with disk .*2/)
  one.network.setPeers([wiped.peer])
  await stage.clock.advance(1000)
  t.ok(one.network.isConnected(2), 'until we are told otherwise')
  one.network.setPeers([{ ...wiped.peer, diskId: diskIdOf(9) }])
  await stage.clock.advance(1000)
  t.notOk(one.network.isConnected(2), 'then what is connected goes, too')
  t.notOk(wiped.network.isConnected(1))
  one.network.setPeers([])
  await stage.clock.advance(1000)
  t.equal(one.network.peers.length, 0)
  await stage.close(one, wiped)
})

t.test('whoever knows the secret is let in', async (t) => {
  const stage = new Stage()
  const [one, two] = await stage.pair({ secret: 'correct horse battery staple' })
  t.ok(one.network.isConnected(2) && two.network.isConnected(1))
  await stage.close(one, two)
})

t.test('what is no broker is shown the door: other protocols, silence, sizes', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1 })
  const dial = async (bytes: Buffer): Promise<{ connection: Connection; closedMs: () => number }> => {
    const connecting = stage.net.at('n9').connect({ host: 'n1', port: one.port, timeoutMs: 100 })
    await stage.clock.advance(5)
    const connection = await connecting
    let closedMs = -1
    connection.onClose = () => (closedMs = stage.clock.monotonic())
    connection.write([bytes])
    return { connection, closedMs: () => closedMs }
  }
  const huge = Buffer.from(emptyFrame(frameKinds.hello).pieces[0] ?? [])
  huge.writeInt32BE(100 << 20, 0)
  const strangers = [
    await dial(Buffer.from('GET / HTTP/1.1\r\nHost: n1\r\n\r\n')),
    await dial(Buffer.alloc(5000)),
    await dial(huge),
    await dial(Buffer.from(emptyFrame(frameKinds.ping).pieces[0] ?? [])),
  ]
  await stage.clock.advance(20)
  t.ok(strangers.every(({ closedMs }) => closedMs() > 0))
  t.equal(one.said('peer.frame').length, 2, one.said('peer.frame').join())
  const silent = await dial(Buffer.alloc(3))
  await stage.clock.advance(300)
  t.equal(silent.closedMs(), -1)
  await stage.clock.advance(400)
  t.ok(silent.closedMs() > 0)
  t.equal(one.network.accepted, 0)
  await stage.close(one)
})

t.test('a broker of another release: the newest version that both speak, or none', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1 })
  one.network.setPeers([{ id: 2, host: 'n2', port: 1, diskId: null }])
  const greet = async (minVersion: number, maxVersion: number): Promise<Buffer> => {
    const connecting = stage.net.at('n2').connect({ host: 'n1', port: one.port, timeoutMs: 100 })
    await stage.clock.advance(5)
    const connection = await connecting
    let answer = Buffer.alloc(0)
    connection.onData = (chunk) => (answer = Buffer.concat([answer, chunk]))
    const writer = beginFrame(frameKinds.hello)
    const versions = { minVersion, maxVersion }
    const ids = { clusterId, nodeId: 2, diskId: diskIdOf(2), to: 1, lane: 0 }
    hello.encode(
      writer,
      { ...versions, ...ids, frameBytesMax: 1 << 20, nonce: Buffer.alloc(32), host: null, port: 0 },
      0,
    )
    connection.write(endFrame(writer).pieces)
    await stage.clock.advance(20)
    return answer
  }
  const welcomed = await greet(0, 9)
  t.equal(welcomed[prefixBytes], frameKinds.welcome)
  t.equal(welcomed.readInt16BE(prefixBytes + 1), peerVersions[1])
  const refused = await greet(8, 9)
  t.equal(refused[prefixBytes], frameKinds.refusal)
  t.equal(refused[prefixBytes + 1], refusalReasons.version)
  t.match(one.said('peer.refused'), [
    /it speaks versions 8 to 9 of the protocol between brokers, and this broker/,
  ])
  await stage.close(one)
})

t.test('strangers that fill all places make room for brokers', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1, settings: { connectionsMax: 6, connectTimeoutMs: 60_000 } })
  const two = await stage.node({ id: 2 })
  for (let i = 0; i < 20; i++) {
    void stage.net.at('n9').connect({ host: 'n1', port: one.port, timeoutMs: 100 })
    await stage.clock.advance(1)
  }
  t.equal(one.network.accepted, 6)
  meet([one, two])
  await stage.clock.advance(200)
  t.ok(two.network.isConnected(1))
  t.equal(one.network.accepted, 6)
  await stage.close(one, two)
})

/** Changes one byte of all that its first so many connections send. */
function damaging(net: Net, at: { lane: number; byte: number }): Net {
  let dialed = 0
  return {
    listen: (options, onConnection, onFault) => net.listen(options, onConnection, onFault),
    connect: async (options) => {
      const connection = await net.connect(options)
      if (dialed++ !== at.lane) return connection
      let sent = 0
      const write = connection.write.bind(connection)
      connection.write = (buffers) => {
        const bytes = Buffer.concat(buffers)
        const index = at.byte - sent
        sent += bytes.length
        if (index >= 0 && index < bytes.length) bytes[index] = (bytes[index] ?? 0) ^ 0x10
        return write([bytes])
      }
      return connection
    },
  }
}

t.test('a byte damaged anywhere on the way: closed with a reason, and made again', async (t) => {
  const small = append(1, [batchOf('one')])
  for (const lane of [0, 1]) {
    // Behind the greetings the bytes are those that codec.test.ts damages one by one.
    let byte = 0
    for (let wasDamaged = true; wasDamaged; byte += lane === 0 ? 1 : 5) {
      const stage = new Stage(byte + 1)
      const one = await stage.node({ id: 1, net: damaging(stage.net.at('n1'), { lane, byte }) })
      const two = await stage.node({ id: 2 })
      meet([one, two])
      await stage.clock.advance(10)
      for (let i = 1; i <= 3; i++) one.network.send(2, [beat(i), small])
      await stage.clock.advance(10)
      const reasons = [...one.said('peer.frame'), ...two.said('peer.frame')]
      wasDamaged = reasons.length > 0
      if (reasons.length > 1) t.fail(`lane ${lane}, byte ${byte}: ${reasons.join('; ')}`)
      if (wasDamaged) {
        await stage.clock.advance(100)
        two.got.length = 0
        one.network.send(2, [beat(9)])
        await stage.clock.advance(10)
        if (positions(two).join() !== '9') t.fail(`lane ${lane}, byte ${byte}: they do not meet again`)
      }
      await stage.close(one, two)
    }
    t.ok(byte > 250, `${byte} bytes of lane ${lane}`)
  }
})

t.test('requests: answered, refused, unknown, too late, too many, too large', async (t) => {
  const stage = new Stage(1, { delayMs: 1 })
  const [one, two] = await stage.pair({ settings: { callsMax: 3, frameBytesMax: 2 << 20 } })
  two.network.handle(1, async (from, payload) => Buffer.from(`${from}:${payload}`))
  two.network.handle(2, async (_, payload) => {
    if (payload.length === 0) throw new TypeError('a bug')
    throw new Refused('NOT_CONTROLLER', 'node 3 is')
  })
  const asked: Buffer[] = []
  two.network.handle(3, (_, payload) => {
    asked.push(payload)
    return new Promise<never>(() => {})
  })
  const ask = async (kind: number, payload: Buffer | string, timeoutMs = 500): Promise<Buffer> => {
    const answer = one.network.call(2, kind, Buffer.from(payload), timeoutMs)
    answer.catch(() => {})
    await stage.clock.advance(50)
    return await answer
  }
  t.equal((await ask(1, 'hello')).toString(), '1:hello')
  const large = Buffer.alloc(1 << 20, 7)
  t.equal((await ask(1, large)).length, large.length + 2, 'both ways')
  t.equal(await refusal(ask(2, 'x')), 'NOT_CONTROLLER')
  t.equal(await refusal(ask(2, '')), 'UNKNOWN_SERVER_ERROR')
  t.match(two.said('peer.call.failed'), [/a request of kind 2 from node 1: a bug/])
  t.equal(await refusal(ask(7, '')), 'UNSUPPORTED_VERSION')
  two.network.handle(4, async () => Buffer.alloc(3 << 20))
  t.equal(await refusal(ask(4, '')), 'MESSAGE_TOO_LARGE')
  two.network.handle(5, () => {
    throw new RangeError('at once')
  })
  t.equal(await refusal(ask(5, '')), 'UNKNOWN_SERVER_ERROR')
  t.equal(await refusal(one.network.call(2, 1, Buffer.alloc(2 << 20), 500)), 'MESSAGE_TOO_LARGE')
  t.equal(await refusal(one.network.call(5, 1, Buffer.alloc(1), 500)), 'BROKER_NOT_AVAILABLE')

  const start = stage.clock.monotonic()
  const late = one.network
    .call(2, 3, Buffer.from('late'), 200)
    .catch((refused: Refused) => `${refused.code} ${stage.clock.monotonic() - start}`)
  await stage.clock.advance(1000)
  t.match(await late, /REQUEST_TIMED_OUT 200/)
  t.equal(asked.length, 1)

  const waiting = [1, 2, 3].map(() => refusal(one.network.call(2, 3, Buffer.from('w'), 60_000)))
  t.equal(await refusal(one.network.call(2, 1, Buffer.alloc(1), 500)), 'THROTTLING_QUOTA_EXCEEDED')
  await stage.clock.advance(50)
  t.equal(
    asked.length,
    3,
    'the asked one counts for itself: three are under way there, the one that was too late among them',
  )
  stage.net.reset('n1', 'n2')
  await stage.clock.advance(10)
  t.same((await Promise.all(waiting)).toSorted(), [
    'REQUEST_TIMED_OUT',
    'REQUEST_TIMED_OUT',
    'THROTTLING_QUOTA_EXCEEDED',
  ])
  stage.net.isolate('n2')
  await stage.clock.advance(2000)
  t.equal(
    await refusal(one.network.call(2, 1, Buffer.alloc(1), 500)),
    'BROKER_NOT_AVAILABLE',
    'nothing was sent',
  )
  await stage.close(one, two)
  t.equal(stage.clock.pendingTimers, 0)
})

t.test(
  'what waits for a slow peer is bounded; what was dropped is asked for again when there is room',
  async (t) => {
    const stage = new Stage()
    const bound = 1 << 20
    const [one, two] = await stage.pair({ settings: { dataQueueBytesMax: bound, idleTimeoutMs: 60_000 } })
    stage.net.clog('n1', 'n2', 5000)
    let waitingMax = 0
    for (let i = 0; i < 2000; i++) {
      one.network.send(2, [append(i), beat(i)])
      waitingMax = Math.max(waitingMax, one.network.peers[0]?.waitingBytes ?? 0)
      if (i % 20 === 0) await stage.clock.advance(1)
    }
    t.ok(
      waitingMax > bound / 2 && waitingMax < bound + 200_000,
      `${waitingMax} bytes of ${2000 * batch.length}`,
    )
    t.equal(one.lost.length, 0, 'no sooner than it helps')
    t.match(one.said('peer.slow'), [/node 2 is too slow/])
    await stage.clock.advance(6000)
    t.same(one.lost, [2])
    const dropped = one.network.peers[0]?.droppedMessages ?? 0
    t.equal(two.got.length, 4000 - dropped, 'what was taken arrived, whole and in order')
    const appends = two.got.flatMap(({ message }) => (message.type === 'append' ? [message.from] : []))
    t.same(
      appends,
      appends.toSorted((a, b) => a - b),
    )
    t.equal(two.got.length - appends.length, 2000, 'heartbeats have a queue of their own')
    one.network.send(2, [append(7777)])
    await stage.clock.advance(10)
    t.equal(positions(two).at(-1), 7777)
    await stage.close(one, two)
  },
)

t.test('heartbeats overtake megabytes of appends (R-28)', async (t) => {
  const stage = new Stage(1, { bytesPerMs: 1000, windowBytes: 65_536 })
  const [one, two] = await stage.pair({ settings: { idleTimeoutMs: 400 } })
  one.network.send(
    2,
    Array.from({ length: 100 }, (_, i) => append(1000 + i)),
  )
  await stage.clock.advance(10)
  one.network.send(2, [beat(1)])
  await stage.clock.advance(250)
  t.ok(positions(two).includes(1), 'within a window of the path')
  const some = positions(two).length
  t.ok(some < 50, `${some} of 100 appends by then`)
  await stage.clock.advance(10_000)
  t.equal(positions(two).length, 101, 'a slow path that moves is not taken for a dead one')
  t.same(one.said('peer.disconnected'), [])
  await stage.close(one, two)
})

t.test('a batch that the other side does not take is told, and holds nobody else up', async (t) => {
  const stage = new Stage()
  const one = await stage.node({ id: 1 })
  const two = await stage.node({ id: 2, settings: { frameBytesMax: 1 << 20 } })
  meet([one, two])
  await stage.clock.advance(100)
  const large = Array.from({ length: 30 }, () => batch)
  for (let i = 0; i < 3; i++) one.network.send(2, [append(1, large), append(2)])
  await stage.clock.advance(500)
  t.match(one.said('peer.oversized'), [/larger than node 2 takes/])
  t.same(positions(two), [2, 2, 2])
  t.ok(one.network.isConnected(2))
  await stage.close(one, two)
})
