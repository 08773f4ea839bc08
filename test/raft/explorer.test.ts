/** no short history of a quorum whose voters change has two leaders in an epoch, or two histories. LOGRAFT_STEPS=3 for longer ones (an hour of one core: 4). */
import t from 'tap'
import { explore, type Scope } from './explorer.ts'

const more = Number(process.env.LOGRAFT_STEPS ?? 0)

const scopes: readonly (Omit<Scope, 'steps'> & { what: string; steps: number })[] = [
  {
    what: 'three, four and three again',
    voters: [1, 2, 3],
    others: [4],
    targets: [
      [1, 2, 3, 4],
      [1, 2, 3],
      [2, 3, 4],
    ],
    steps: 2,
    epochs: 4,
  },
  {
    what: 'one of three is replaced',
    voters: [1, 2, 3],
    others: [4],
    targets: [
      [1, 2, 4],
      [2, 3, 4],
    ],
    steps: 2,
    epochs: 4,
  },
  {
    what: 'two of three are replaced',
    voters: [1, 2, 3],
    others: [4, 5],
    targets: [[1, 4, 5]],
    steps: 2,
    epochs: 3,
  },
  {
    what: 'two, one and two again',
    voters: [1, 2],
    others: [],
    targets: [[1], [2], [1, 2]],
    steps: 4,
    epochs: 5,
  },
]

for (const { what, ...scope } of scopes) {
  t.test(what, async (t) => {
    const explored = explore({ ...scope, steps: Math.max(scope.steps, more) })
    t.comment(JSON.stringify(explored))
    t.ok(explored.states > 50)
    t.ok(explored.joint > 5, 'between two configurations')
    t.ok(explored.committedChanges > 5, 'and beyond')
  })
}
