/** Newcomers of a quorum in which nothing is written: they become voters all the same. */
import t from 'tap'
import { Cluster } from './cluster.ts'

/** Lets time pass, and tells whether that was enough. */
async function isDone(cluster: Cluster, change: Promise<void>, withinMs: number): Promise<boolean> {
  let done = false
  change.then(
    () => {
      done = true
    },
    () => {},
  )
  await cluster.clock.advance(withinMs)
  return done
}

t.test('a sole voter that has been idle gives its place to newcomers whose replicas open late', async (t) => {
  const cluster = new Cluster(3)
  cluster.voters = [1]
  await cluster.start(1)
  const leader = await cluster.leader()
  await cluster.clock.advance(5_000)
  const changed = leader.changeVoters([2, 3])
  await cluster.clock.advance(3000)
  await cluster.start(2)
  await cluster.start(3)
  t.ok(await isDone(cluster, changed, 1000))
  t.same((await cluster.leader([1])).voters, [2, 3])
})

t.test('an observer that has everything becomes a voter of an idle quorum', async (t) => {
  const cluster = new Cluster(4)
  cluster.voters = [1, 2, 3]
  await cluster.open()
  const leader = await cluster.leader()
  leader.observe([4])
  await cluster.clock.advance(5_000)
  t.ok(await isDone(cluster, leader.changeVoters([1, 2, 4]), 1000))
  t.same(leader.voters, [1, 2, 4])
})
