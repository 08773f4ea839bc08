/**
 * Safety and progress of the core under random schedules (see schedule.ts). LOGRAFT_SEEDS=20000 for a long run,
 * LOGRAFT_SEED=17 for one.
 */
import t from 'tap'
import { type Outcome, RandomQuorum } from './schedule.ts'

const one = process.env.LOGRAFT_SEED
const seeds = Number(process.env.LOGRAFT_SEEDS ?? 60)

const kinds = [
  ...[1, 2, 3, 4, 5].map((voters) => ({ voters, changes: false })),
  ...[1, 2, 3].map((voters) => ({ voters, changes: true })),
  ...[2, 3].map((voters) => ({ voters, changes: false, quiet: true })),
  { voters: 3, changes: true, quiet: true },
].map((kind) => ({ quiet: false, ...kind }))

for (const { voters, changes, quiet } of kinds) {
  const who = changes ? `${voters} voters and 2 others, who come and go` : `${voters} voters`
  const what = quiet ? `${who}, often quiet` : who
  t.test(`${what}: nothing committed is lost, one leader in an epoch, and it goes on`, async (t) => {
    const total = {
      committed: 0,
      epochs: 0,
      truncations: 0,
      configurations: 0,
      installs: 0,
      underWay: 0,
      pledges: 0,
    }
    const from = one === undefined ? 1 : Number(one)
    const until = one === undefined ? seeds : Number(one)
    for (let seed = from; seed <= until; seed++) {
      let outcome: Outcome
      try {
        outcome = new RandomQuorum({ seed: seed * 10 + voters, voters, changes, quiet }).run(1000)
      } catch (error) {
        throw new Error(`seed ${seed}: ${what}`, { cause: error })
      }
      total.committed += outcome.committed
      total.epochs += outcome.epochs
      total.truncations += outcome.truncations
      total.configurations += outcome.configurations
      total.pledges += outcome.pledges
      total.installs += outcome.installs
      total.underWay = Math.max(total.underWay, outcome.underWay)
    }
    // A schedule in which nothing happens proves nothing.
    t.comment(JSON.stringify(total))
    if (one !== undefined) return
    t.ok(total.committed > seeds * 20, 'schedules commit')
    t.equal(total.pledges > seeds * 5, quiet, 'words are given when there is nothing else to say')
    t.ok(voters < 3 || total.epochs > seeds * 2, 'leaders change')
    t.ok(voters < 3 || total.truncations > seeds / 10, 'logs part and are brought together')
    t.ok(!changes || total.configurations > seeds, 'voters change (R-31)')
    t.ok(!changes || total.installs > seeds / 10, 'images are put in place (R-27)')
    const members = changes ? voters + 2 : voters
    t.ok(total.underWay <= 30 * members * (members - 1), 'answers do not multiply (R-24)')
  })
}
