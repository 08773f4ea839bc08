/** A log start inside a batch: exact for users, and the batch whole for consensus, on every member and whatever happens to it. */
import t from 'tap'
import { BatchBuilder, readRecords } from '../../src/records/records.ts'
import { batchPositions } from '../../src/records/scan.ts'
import type { Member } from '../../src/replica/member.ts'
import type { ReplicaEvent } from '../../src/replica/replica-event.ts'
import { Cluster } from './cluster.ts'
import { type Broker, propose, valuesOf } from './fixture.ts'

/** Three voters, one of them down while `rounds` batches of three come and the start moves into the last; and a fourth broker. */
class Trimmed {
  readonly cluster = new Cluster(4)
  leader!: Member
  away = 0

  async open(): Promise<void> {
    this.cluster.voters = [1, 2, 3]
    for (const id of this.cluster.voters) await this.cluster.start(id)
    this.leader = await this.cluster.leader()
    this.away = this.cluster.voters.find((id) => id !== this.cluster.idOf(this.leader)) ?? 0
    this.propose(5)
    await this.cluster.clock.advance(50)
  }

  propose(rounds: number): void {
    const { end } = this.leader.log
    for (let at = end; at < end + 3 * rounds; at += 3) {
      propose(this.leader, [], ...[at, at + 1, at + 2].map((offset) => `${offset} ${'.'.repeat(40)}`))
    }
  }

  /** The one that is down lacks what goes now. Returns the new start, the second record of a batch of three. */
  async trim(rounds: number): Promise<number> {
    this.propose(rounds)
    await this.cluster.clock.advance(50)
    const start = this.leader.log.end - 2
    await Promise.all([this.leader.raiseStart(start), this.cluster.clock.advance(50)])
    return start
  }

  get broker(): Broker {
    return this.cluster.brokers[this.away - 1] as Broker
  }

  starts(): number[] {
    return this.cluster.members.map(({ log }) => log.start)
  }
}

const isInstall = ({ event }: ReplicaEvent): boolean => event === 'replica.installed'

/** The offsets of the records that a user reads from `offset` on. */
async function offsetsFrom({ log, highWatermark }: Member, offset: number): Promise<number[]> {
  const { batches } = await log.read(offset, { boundOffset: highWatermark, maxBytes: 1 << 20, minOne: true })
  const records = batches.flatMap((run) =>
    [...batchPositions(run)].flatMap((at) => readRecords(run, at, { maxExpandedBytes: 1 << 20 })),
  )
  return records.map(({ offset: at }) => at).filter((found) => found >= offset)
}

t.test('who is installed at such a start has all records that the others have', async (t) => {
  const trimmed = new Trimmed()
  const { cluster } = trimmed
  await trimmed.open()
  trimmed.broker.kill()
  const start = await trimmed.trim(40)
  t.equal(start, 133)
  await cluster.start(trimmed.away)
  await cluster.clock.advance(500)
  t.ok(trimmed.broker.events.some(isInstall))
  t.same(trimmed.starts(), [start, start, start])

  for (const how of ['now', 'after a loss of power'] as const) {
    if (how === 'after a loss of power') {
      for (const broker of cluster.brokers) broker.losePower(broker.id)
      for (const id of cluster.voters) await cluster.start(id)
      t.same(trimmed.starts(), [start, start, start], how)
      const leader = await cluster.leader()
      if (cluster.idOf(leader) !== trimmed.away) leader.transferLeadership(trimmed.away)
    } else trimmed.leader.transferLeadership(trimmed.away)
    await cluster.clock.advance(300)
    const installed = cluster.member(trimmed.away)
    t.equal(installed.isReady, true, how)
    t.same(await offsetsFrom(installed, start), [133, 134], how)
    t.same(await offsetsFrom(installed, 134), [134], how)
    await t.rejects(offsetsFrom(installed, start - 1), { code: 'OFFSET_OUT_OF_RANGE' }, how)
    for (const member of cluster.members) t.same(await valuesOf(member), await valuesOf(installed), how)
  }

  // And it can give what it was given.
  const next = cluster.member(trimmed.away)
  const observer = await cluster.start(4)
  next.observe([4])
  await cluster.clock.advance(500)
  t.equal(observer.log.start, start)
  t.same(await offsetsFrom(observer, start), [133, 134])
})

t.test(
  'the power goes at every step of the install: the old start or the new one, then all of it',
  async (t) => {
    const trimmed = new Trimmed()
    const { cluster } = trimmed
    await trimmed.open()
    const found = { old: 0, new: 0 }
    for (let powerOffAt = 1, isOver = false; !isOver; powerOffAt++) {
      const { broker, away } = trimmed
      const before = cluster.member(away).log.start
      const installs = broker.events.filter(isInstall).length
      broker.kill()
      const start = await trimmed.trim(4)
      let left = powerOffAt
      broker.fault = ({ kind }) => (kind === 'read' || --left > 0 ? undefined : 'powerOff')
      // A dead process settles nothing: not waited for.
      const starting = cluster.start(away)
      starting.catch(() => {})
      await cluster.clock.advance(300)
      broker.fault = () => undefined
      isOver = left > 0
      broker.losePower(powerOffAt)
      const back = await cluster.start(away)
      const isInstalled = broker.events.filter(isInstall).length > installs
      if (back.log.start === before && !isInstalled) found.old++
      else if (back.log.start === start) found.new++
      else t.fail(`at ${powerOffAt}: starts at ${back.log.start}, not at ${before} or ${start}`)
      const { leader } = trimmed
      for (let ms = 0; back.highWatermark < leader.highWatermark && ms < 1000; ms += 100)
        await cluster.clock.advance(100)
      if (back.log.start !== start || back.highWatermark !== leader.highWatermark)
        t.fail(`at ${powerOffAt}: ${back.log.start} to ${back.highWatermark}`)
      const values = await valuesOf(back)
      if (values.join() !== (await valuesOf(leader)).join()) t.fail(`at ${powerOffAt}: ${values.join()}`)
    }
    t.ok(found.old > 5 && found.new > 5, JSON.stringify(found))
  },
)

/** A batch of one record, as an idempotent producer sends it. */
function sent(producerId: number, baseSequence: number): Buffer {
  const builder = new BatchBuilder({ codec: 'none', producerId, producerEpoch: 0, baseSequence })
  builder.append({
    timestamp: 1000,
    key: null,
    value: Buffer.from(`${producerId} ${baseSequence}`),
    headers: [],
  })
  return builder.build()
}

t.test(
  'who is installed knows a batch that is sent again, although its first copy was trimmed',
  async (t) => {
    const trimmed = new Trimmed()
    const { cluster } = trimmed
    await trimmed.open()
    trimmed.broker.kill()
    for (const sequence of [0, 1]) trimmed.leader.propose(sent(7, sequence))
    const first = trimmed.leader.log.end - 2
    await trimmed.trim(40)
    trimmed.leader.propose(sent(8, 0))
    await cluster.clock.advance(50)
    const installed = await cluster.start(trimmed.away)
    await cluster.clock.advance(500)
    t.ok(trimmed.broker.events.some(isInstall))
    const knows = ({ log }: Member): void => {
      t.match(log.producers.check(sent(7, 0)), { baseOffset: first })
      t.match(log.producers.check(sent(7, 1)), { baseOffset: first + 1 })
      t.equal(log.producers.check(sent(7, 2)), 'append', 'what follows is new')
      t.match(log.producers.check(sent(7, 4)), { refused: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
      t.match(log.producers.check(sent(8, 0)), { baseOffset: log.end - 1 })
    }
    knows(trimmed.leader)
    knows(installed)
    trimmed.broker.losePower()
    knows(await cluster.start(trimmed.away))
  },
)
