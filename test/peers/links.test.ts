/** R-06 as bytes: over connections a link that is cut one way stalls them, until both ways are given up. See test/replica/links.test.ts. */
import t from 'tap'
import { describeLinks, hasCentre, linkSubsets } from '../raft/links.ts'
import { type Fate, propose, valuesOf } from '../replica/fixture.ts'
import { HostedNode, meet, Stage, topic } from './fixture.ts'

const ids = [1, 2, 3]
const windows = 10
const timeouts = { electionTimeoutMs: 300, heartbeatMs: 30 }

t.test('64 ways to cut the links of three, as bytes', async (t) => {
  for (const [seed, cut] of linkSubsets().entries()) {
    const what = describeLinks(cut)
    const { clock, net } = new Stage(seed + 1, { delayMs: 1, jitterMs: 2 })
    const nodes: HostedNode[] = []
    for (const id of ids) {
      const node = new HostedNode({ id, clock, net: net.at(`n${id}`) }, timeouts)
      await node.listen()
      nodes.push(node)
    }
    meet(nodes)
    const members = await Promise.all(nodes.map((node) => node.open(`${topic}-0`, ids)))
    await clock.advance(500)
    for (const [from, to] of cut) net.cut(`n${from}`, `n${to}`)
    // Until silence is noticed on every connection, and what can connect anew has.
    await clock.advance(2000)

    const fates: Fate[] = []
    let progress = 0
    for (let window = 0; window < windows; window++) {
      const before = fates.length
      for (let step = 0; step < 5; step++) {
        for (const [index, member] of members.entries()) {
          if (member.isReady) propose(member, fates, `v${window}-${step}-${index}`)
        }
        await clock.advance(40)
      }
      if (fates.slice(before).some((fate) => fate.endsWith(' committed'))) progress++
    }
    if (hasCentre(cut) && progress < 0.95 * windows) t.fail(`${what}: progress in ${progress} of ${windows}`)

    net.healAll()
    await clock.advance(2000)
    const [first = [], ...others] = await Promise.all(members.map((member) => valuesOf(member)))
    for (const other of others) t.same(other, first, what)
    const kept = new Set(first)
    const lost = fates.filter((fate) => fate.endsWith(' committed') && !kept.has(fate.split(' ')[0] ?? ''))
    if (lost.length > 0) t.fail(`${what}: ${lost.length} acknowledged are lost`)
    const closed = Promise.all(
      nodes.map(async ({ host, network }) => {
        await network.close()
        await host.close()
      }),
    )
    await clock.advance(1000)
    await closed
  }
})
