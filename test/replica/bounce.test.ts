/**
 * what waits for the disk or for others belongs to one leadership. Here that goes away and comes back, A to B to A, at each turn
 * of whatever waits: nobody may take the second leadership for the first.
 */
import t from 'tap'
import { assert } from '../../src/base/assert.ts'
import type { DiskOperation } from '../../src/embedded/sim-disk.ts'
import type { Member } from '../../src/replica/member.ts'
import { Cluster, openCounters } from './cluster.ts'
import type { Counters } from './counters.ts'
import { batchOf, valuesOf } from './fixture.ts'

/** Turns of the event loop after which leadership goes; syncs take some of them. */
const moments = Array.from({ length: 16 }, (_, turn) => turn)
const turnsOfSync = 3

type Fate = 'open' | 'done' | string

/** Disks that take a few turns, so that there is something to wait for. */
async function opened(hasMachine = false, newcomers = 0): Promise<{ cluster: Cluster; leader: Member }> {
  const cluster = new Cluster(3 + newcomers)
  cluster.voters = [1, 2, 3]
  cluster.hasMachine = hasMachine
  const slow = ({ kind }: DiskOperation): Promise<void> =>
    kind === 'sync' || kind === 'syncFolder'
      ? new Promise((resolve) => after(cluster, turnsOfSync, resolve))
      : Promise.resolve()
  for (const broker of cluster.brokers) broker.device = slow
  await cluster.open()
  const leader = await cluster.leader()
  await cluster.clock.advance(100)
  return { cluster, leader }
}

function after(cluster: Cluster, turns: number, act: () => void): void {
  if (turns === 0) act()
  else cluster.clock.soon(() => after(cluster, turns - 1, act))
}

/**
 * After so many turns the leader is cut off with all that it has under way; whoever leads then hands back to it as soon as it can.
 * Resolves when all is over, and the same member leads again.
 */
async function bounce(cluster: Cluster, leader: Member, turns: number): Promise<void> {
  const id = cluster.idOf(leader)
  const { epoch } = leader
  const handBack = (): void => {
    const other = cluster.members.find((member) => member !== leader && member.isReady)
    if (other !== undefined) cluster.heal()
    if (other?.inSync.includes(id)) other.transferLeadership(id)
    else cluster.clock.setTimer(5, handBack)
  }
  cluster.clock.setTimer(5, handBack)
  after(cluster, turns, () => cluster.isolate(id))
  await cluster.clock.advance(1500)
  assert(leader.isReady && leader.epoch >= epoch + 2, 'leadership went away and came back')
}

/** In each of the first turns, and again and again until long after leadership is back. */
function allTheTime(cluster: Cluster, act: (when: string) => void): void {
  for (let turn = 0; turn < 40; turn += 2) after(cluster, turn, () => act(`turn ${turn}`))
  for (let atMs = 5; atMs < 1000; atMs += 25) cluster.clock.setTimer(atMs, () => act(`${atMs} ms`))
}

function fateOf(promise: Promise<unknown>): { fate: Fate } {
  const told: { fate: Fate } = { fate: 'open' }
  promise.then(
    () => {
      told.fate = 'done'
    },
    (error: { code?: string; message: string }) => {
      told.fate = error.code ?? error.message
    },
  )
  return told
}

const refusals = new Set<Fate>([
  'NOT_LEADER_OR_FOLLOWER',
  'REQUEST_TIMED_OUT',
  'NOT_COORDINATOR',
  'COORDINATOR_LOAD_IN_PROGRESS',
])

t.test('records: what is called committed is there, once and in its place, on all', async (t) => {
  const fates = new Set<Fate>()
  for (const moment of moments) {
    const { cluster, leader } = await opened()
    const told: { value: string; offset: number; fate: Fate }[] = []
    const send = (value: string): void => {
      try {
        const { baseOffset, endOffset, epoch } = leader.propose(batchOf(value))
        const one = { value, offset: baseOffset, fate: 'open' }
        told.push(one)
        leader.onCommitted(endOffset, epoch, (refused) => {
          one.fate = refused?.code ?? 'done'
        })
      } catch (error) {
        fates.add((error as { code: string }).code)
      }
    }
    allTheTime(cluster, send)
    await bounce(cluster, leader, moment)
    const logs = await Promise.all(cluster.members.map((member) => valuesOf(member)))
    for (const log of logs) t.strictSame(log, logs[0])
    for (const { value, offset, fate } of told) {
      fates.add(fate)
      if (fate === 'done') t.equal(logs[0]?.[offset], value)
    }
    t.equal(new Set(logs[0]).size, logs[0]?.length, 'nothing is there twice')
  }
  fates.delete('done')
  t.strictSame(
    [...fates].filter((fate) => !refusals.has(fate)),
    [],
    'nothing stays open',
  )
  t.ok(fates.size > 0, 'and some had to be refused')
})

t.test('the log start: who is told that it is raised finds it raised on all', async (t) => {
  for (const moment of moments) {
    const { cluster, leader } = await opened()
    for (let n = 0; n < 5; n++) leader.propose(batchOf(`${n}`))
    await cluster.clock.advance(100)
    const raised = fateOf(leader.raiseStart(3))
    await bounce(cluster, leader, moment)
    t.ok(raised.fate === 'done' || refusals.has(raised.fate), raised.fate)
    const starts = cluster.members.map(({ log }) => log.start)
    if (raised.fate === 'done') t.strictSame(starts, [3, 3, 3])
    else t.equal(new Set(starts).size, 1, 'and else all agree, too')
  }
})

t.test('a question who leads: yes only to who has led all the time', async (t) => {
  for (const moment of moments) {
    const { cluster, leader } = await opened()
    const { epoch } = leader
    let answeredIn = -1
    const asked = leader.confirmLeadership().then(() => {
      answeredIn = leader.epoch
    })
    const told = fateOf(asked)
    await bounce(cluster, leader, moment)
    if (told.fate === 'done') t.equal(answeredIn, epoch)
    else t.ok(refusals.has(told.fate), told.fate)
  }
})

t.test('a change of voters is finished by somebody, and the same everywhere', async (t) => {
  for (const moment of moments) {
    const { cluster, leader } = await opened(false, 1)
    const id = cluster.idOf(leader)
    // One of the followers goes, the newcomer comes.
    const voters = [id, (id % 3) + 1, 4].sort()
    const changed = fateOf(leader.changeVoters(voters))
    await bounce(cluster, leader, moment)
    t.ok(changed.fate === 'done' || refusals.has(changed.fate), changed.fate)
    const now = leader.voters.map((one) => [...cluster.member(one).voters].sort())
    for (const one of now) t.strictSame(one, now[0])
    if (changed.fate === 'done') t.strictSame(now[0], voters)
  }
})

t.test(
  'a machine: replies are of what is committed, and what was refused is in it once or not at all',
  async (t) => {
    const total = ({ totals }: Readonly<Counters>): number => totals.get('x') ?? 0
    for (const moment of moments) {
      const { cluster, leader } = await opened(true)
      const executors = await Promise.all(cluster.ids.map((id) => openCounters(cluster, id, 4)))
      await cluster.clock.advance(100)
      const executor = executors[cluster.idOf(leader) - 1] as (typeof executors)[number]
      const replies: number[] = []
      const added: { fate: Fate }[] = []
      allTheTime(cluster, () => {
        const reply = executor.execute({ type: 'add', name: 'x', by: 1 })
        added.push(fateOf(reply.then((value) => replies.push(Number(value)))))
      })
      await bounce(cluster, leader, moment)
      const done = added.filter(({ fate }) => fate === 'done').length
      const open = added.filter(({ fate }) => fate === 'open')
      const strange = added.filter(({ fate }) => fate !== 'done' && !refusals.has(fate))
      t.strictSame([open, strange], [[], []])
      const final = executor.query(total)
      t.ok(final >= done && final <= added.length, `${done} were told of, ${final} are there`)
      t.strictSame(
        replies,
        [...replies].sort((a, b) => a - b),
        'nobody saw what was undone later',
      )
      t.ok(replies.every((reply) => reply <= final))
      t.equal(new Set(replies).size, replies.length)
    }
  },
)
