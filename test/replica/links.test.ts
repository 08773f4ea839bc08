/**
 * R-06, the outage of 2020-11-02: links that fail one way, or between some only. Wherever a member has a majority that it hears and
 * that hears it, the quorum goes on; and nowhere is anything committed that is not.
 */
import t from 'tap'
import type { Member } from '../../src/replica/member.ts'
import { describeLinks, hasCentre, linkSubsets } from '../raft/links.ts'
import { Cluster } from './cluster.ts'
import { type Fate, propose, valuesOf } from './fixture.ts'

const electionTimeoutMs = 200
const windows = 20

/** Has every leader take something in each of so many windows; returns in how many of them anything was committed. */
async function progress(cluster: Cluster, fates: Fate[], label: string): Promise<number> {
  let committed = 0
  for (let window = 0; window < windows; window++) {
    const before = fates.length
    for (let step = 0; step < 7; step++) {
      for (const member of cluster.members) {
        if (member.isReady) propose(member, fates, `${label}-${window}-${step}-${cluster.idOf(member)}`)
      }
      await cluster.clock.advance(20)
    }
    if (fates.slice(before).some((fate) => fate.endsWith(' committed'))) committed++
  }
  return committed
}

t.test('64 ways to cut the links of three: progress wherever it is possible, and one history', async (t) => {
  for (const cut of linkSubsets()) {
    const what = describeLinks(cut)
    const cluster = new Cluster(3, { electionTimeoutMs })
    await cluster.open()
    await cluster.leader()
    const leaders = new Map<number, Member>()
    for (const [from, to] of cut) cluster.cut(from, to)
    await cluster.clock.advance(5 * electionTimeoutMs)
    const fates: Fate[] = []
    const elections = cluster.members.map(({ epoch }) => epoch)
    // With nothing to do first: then nobody is refused a vote because his log is shorter.
    await cluster.clock.advance(10 * electionTimeoutMs)
    const committed = await progress(cluster, fates, 'v')
    if (hasCentre(cut)) {
      if (committed < 0.95 * windows) t.fail(`${what}: progress in ${committed} of ${windows}`)
      const rose = Math.max(...cluster.members.map(({ epoch }, index) => epoch - (elections[index] ?? 0)))
      if (rose > 1) t.fail(`${what}: ${rose} more epochs while nothing changed`)
    }
    for (const member of cluster.members) {
      if (member.role !== 'leader') continue
      if (leaders.has(member.epoch)) t.fail(`${what}: two leaders in epoch ${member.epoch}`)
      leaders.set(member.epoch, member)
    }
    cluster.heal()
    await cluster.clock.advance(5 * electionTimeoutMs)
    const values = await Promise.all(cluster.members.map((member) => valuesOf(member)))
    const [first = [], ...others] = values
    for (const other of others) t.same(other, first, what)
    const kept = new Set(first)
    const acknowledged = fates
      .filter((fate) => fate.endsWith(' committed'))
      .map((fate) => fate.split(' ')[0] ?? '')
    const lost = acknowledged.filter((value) => !kept.has(value))
    if (lost.length > 0) t.fail(`${what}: ${lost.length} acknowledged are lost`)
  }
})
