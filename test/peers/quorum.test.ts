/** Three brokers' replicas that reach each other through their networks: on a simulated net, and on real sockets. */
import t, { type Test } from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimNet } from '../../src/embedded/sim-net.ts'
import type { PathShape } from '../../src/embedded/sim-path.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import { NodeClock } from '../../src/io/node-clock.ts'
import { NodeNet } from '../../src/io/node-net.ts'
import type { Clock, Net } from '../../src/io/world.ts'
import type { Member } from '../../src/replica/member.ts'
import { batchOf, type Fate, propose, valuesOf } from '../replica/fixture.ts'
import { HostedNode, meet, topic } from './fixture.ts'

const name = `${topic}-0`
const ids = [1, 2, 3]

class Trio {
  readonly nodes: HostedNode[] = []
  readonly members: Member[] = []
  readonly #pass: (ms: number) => Promise<void>

  constructor(pass: (ms: number) => Promise<void>) {
    this.#pass = pass
  }

  async open(options: {
    clock: Clock
    netOf: (id: number) => Net
    address?: string
    heartbeatMs?: number
    electionTimeoutMs?: number
  }): Promise<void> {
    const { clock, netOf, address } = options
    const timeouts = {
      electionTimeoutMs: options.electionTimeoutMs ?? 300,
      heartbeatMs: options.heartbeatMs ?? 30,
    }
    for (const id of ids) {
      const node = new HostedNode(
        { id, clock, net: netOf(id), ...(address === undefined ? {} : { address }) },
        timeouts,
      )
      await node.listen()
      this.nodes.push(node)
    }
    meet(this.nodes)
    for (const node of this.nodes) this.members.push(await node.open(name, ids))
  }

  async pass(ms: number): Promise<void> {
    await this.#pass(ms)
  }

  /** Until it holds. */
  async until(what: string, holds: () => boolean, limitMs = 10_000): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += 10) {
      if (waitedMs > limitMs) throw new Error(`${what}: not within ${limitMs} ms`)
      await this.#pass(10)
    }
  }

  async leader(except: Member | null = null): Promise<Member> {
    const find = (): Member | undefined => this.members.find((member) => member.isReady && member !== except)
    await this.until('somebody leads', () => find() !== undefined)
    return find() as Member
  }

  nodeOf(member: Member): HostedNode {
    return this.nodes[this.members.indexOf(member)] as HostedNode
  }

  get epochs(): number[] {
    return this.members.map(({ epoch }) => epoch)
  }

  async converged(): Promise<void> {
    await this.until('all hold the same', () => {
      const marks = new Set(this.members.map(({ highWatermark, log }) => `${highWatermark} ${log.end}`))
      return marks.size === 1 && this.members.some(({ isReady }) => isReady)
    })
  }

  async close(): Promise<void> {
    const closed = Promise.all(
      this.nodes.map(async ({ host, network }) => {
        await network.close()
        await host.close()
      }),
    )
    let isOver = false
    void closed.then(() => (isOver = true))
    await this.until('all is closed', () => isOver)
    await closed
  }
}

async function simulated(
  seed: number,
  shape: Partial<PathShape> = {},
): Promise<{ trio: Trio; net: SimNet; clock: VirtualClock }> {
  const clock = new VirtualClock()
  const net = new SimNet({ clock, random: new SeededRandom(seed), shape })
  const trio = new Trio((ms) => clock.advance(ms))
  await trio.open({ clock, netOf: (id) => net.at(`n${id}`) })
  return { trio, net, clock }
}

async function real(t: Test, timeouts: { heartbeatMs: number; electionTimeoutMs: number }): Promise<Trio> {
  const trio = new Trio((ms) => new Promise((resolve) => setTimeout(resolve, ms)))
  await trio.open({ clock: new NodeClock(), netOf: () => new NodeNet(), address: '127.0.0.1', ...timeouts })
  t.teardown(() => trio.close())
  return trio
}

t.test('elect, replicate, survive the isolation of the leader', async (t) => {
  const { trio, net, clock } = await simulated(1, { delayMs: 1, jitterMs: 5 })
  const first = await trio.leader()
  const fates: Fate[] = []
  for (let i = 0; i < 30; i++) {
    propose(first, fates, `v${i}`)
    await trio.pass(i % 3)
  }
  await trio.until('all is committed', () => fates.length === 30)
  const id = trio.nodeOf(first).id
  net.isolate(`n${id}`)
  propose(first, fates, 'alone')
  const second = await trio.leader(first)
  t.ok(second.epoch > first.epoch)
  propose(second, fates, 'goes on')
  await trio.until('the others commit', () => fates.includes('goes on committed'))
  await trio.until('who hears nobody stops leading', () => first.role !== 'leader')
  net.healAll()
  await trio.converged()
  const wanted = [...Array.from({ length: 30 }, (_, i) => `v${i}`), 'goes on']
  for (const member of trio.members) t.same(await valuesOf(member), wanted)
  t.equal(fates.filter((fate) => fate.startsWith('alone')).join(), 'alone REQUEST_TIMED_OUT')
  await trio.close()
  t.equal(net.connections, 0)
  await clock.advance(10_000)
  t.equal(clock.pendingTimers, 0)
})

t.test('whatever the net does, what was acknowledged stays, and in the end all are one', async (t) => {
  let kept = 0
  for (let seed = 1; seed <= 12; seed++) {
    const random = new SeededRandom(seed).fork('faults')
    const { trio, net } = await simulated(seed, {
      delayMs: random.float() * 5,
      jitterMs: random.float() * 20,
      chunkBytesMax: 1 + random.below(5000),
    })
    const fates: Fate[] = []
    const [one, other] = [() => `n${1 + random.below(3)}`, () => `n${1 + random.below(3)}`]
    const faults = [
      () => net.cut(one(), other()),
      () => net.heal(one(), other()),
      () => net.healAll(),
      () => net.reset(one(), other()),
      () => net.clog(one(), other(), random.below(300)),
      () => net.isolate(one()),
      () => {},
    ]
    for (let step = 0; step < 60; step++) {
      faults[random.below(faults.length)]?.()
      for (const member of trio.members)
        if (member.isReady) propose(member, fates, `s${step}m${member.epoch}`)
      await trio.pass(random.below(120))
    }
    net.healAll()
    await trio.leader()
    await trio.converged()
    const [values, ...others] = await Promise.all(trio.members.map((member) => valuesOf(member)))
    for (const same of others) t.same(same, values)
    const acknowledged = fates.flatMap((fate) => (fate.endsWith(' committed') ? [fate.split(' ')[0]] : []))
    kept += acknowledged.length
    t.same(
      acknowledged.filter((value) => values?.includes(value ?? '') !== true),
      [],
      `seed ${seed}`,
    )
    await trio.close()
  }
  t.ok(kept > 200, `${kept} acknowledged`)
})

t.test('a full path elects nobody (R-28)', async (t) => {
  const { trio } = await simulated(1, { bytesPerMs: 1000, windowBytes: 65_536, delayMs: 1, jitterMs: 1 })
  const leader = await trio.leader()
  const before = trio.epochs
  const big = 'x'.repeat(300_000)
  let refused = 0
  const fates: Fate[] = []
  for (let round = 0; round < 300; round++) {
    try {
      propose(leader, fates, big)
    } catch {
      refused++
    }
    await trio.pass(20)
    t.same(trio.epochs, before)
  }
  t.ok(refused > 0 || fates.length < 290, 'it came faster than it could leave')
  t.ok(fates.length > 10 && fates.every((fate) => fate.endsWith('committed')))
  await trio.close()
})

t.test('on real sockets: elect, replicate, lose the leader, no election for load or a stall', async (t) => {
  const trio = await real(t, { electionTimeoutMs: 1500, heartbeatMs: 100 })
  const first = await trio.leader()
  const fates: Fate[] = []
  for (let i = 0; i < 20; i++) propose(first, fates, `v${i}`)
  await trio.until('all is committed', () => fates.length === 20)
  const epochs = trio.epochs

  const big = batchOf('x'.repeat(900_000))
  let acknowledged = 0
  for (let bytes = 0; bytes < 100e6; bytes += big.length) {
    const { endOffset, epoch } = first.propose(Buffer.from(big))
    first.onCommitted(endOffset, epoch, () => acknowledged++)
    await new Promise((resolve) => setImmediate(resolve))
    await trio.until(
      'there is room',
      () =>
        (trio.nodeOf(first).network.peers[0]?.waitingBytes ?? 0) < 16e6 &&
        first.log.end - first.highWatermark < 40,
    )
  }
  await trio.until('all is committed', () => first.highWatermark === first.log.end)
  t.same(trio.epochs, epochs, 'saturated')
  t.ok(acknowledged > 100)

  for (let untilMs = performance.now() + 900; performance.now() < untilMs; );
  await trio.pass(500)
  t.same(trio.epochs, epochs, "a stall of the event loop is nobody else's silence (R-43)")
  for (const node of trio.nodes) t.same(node.said('peer.disconnected'), [])

  const dead = trio.nodeOf(first)
  await dead.network.close()
  const second = await trio.leader(first)
  propose(second, fates, 'goes on')
  await trio.until('the others commit', () => fates.includes('goes on committed'))
  t.ok(second.epoch > (epochs[0] ?? 0))
})
