/**
 * Safety and progress of the core under random schedules (see schedule.ts). LOGRAFT_SEEDS=20000 for a long run,
 * LOGRAFT_SEED=17 for one.
 */
import t from 'tap'
import { type Outcome, RandomQuorum } from './schedule.ts'

const one = process.env.LOGRAFT_SEED
const seeds = Number(process.env.LOGRAFT_SEEDS ?? 100)

for (const voters of [1, 2, 3, 4, 5]) {
  t.test(`${voters} voters: nothing committed is lost, one leader in an epoch, and it goes on`, async (t) => {
    const total = { committed: 0, epochs: 0, truncations: 0, underWay: 0 }
    const from = one === undefined ? 1 : Number(one)
    const until = one === undefined ? seeds : Number(one)
    for (let seed = from; seed <= until; seed++) {
      let outcome: Outcome
      try {
        outcome = new RandomQuorum({ seed: seed * 10 + voters, voters }).run(1000)
      } catch (error) {
        throw new Error(`seed ${seed} with ${voters} voters`, { cause: error })
      }
      total.committed += outcome.committed
      total.epochs += outcome.epochs
      total.truncations += outcome.truncations
      total.underWay = Math.max(total.underWay, outcome.underWay)
    }
    // A schedule in which nothing happens proves nothing.
    t.comment(JSON.stringify(total))
    if (one !== undefined) return
    t.ok(total.committed > seeds * 20, 'schedules commit')
    t.ok(voters < 3 || total.epochs > seeds * 2, 'leaders change')
    t.ok(voters < 3 || total.truncations > seeds / 10, 'logs part and are brought together')
    t.ok(total.underWay <= 20 * voters * (voters - 1), 'answers do not multiply (R-24)')
  })
}
