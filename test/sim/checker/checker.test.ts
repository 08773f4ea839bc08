/** The checker is a product: it must see what is wrong, and nothing else. */
import t from 'tap'
import { SeededRandom } from '../../../src/embedded/seeded-random.ts'
import { check } from './check.ts'
import { cleanHistory, mutations } from './clean.ts'
import { examples } from './examples.ts'
import { historyOf } from './notation.ts'

const kindsOf = (text: string) => [...new Set(check(historyOf(text)).map(({ kind }) => kind))].sort()

t.test('hand-made histories', async (t) => {
  t.ok(examples.length >= 60, `${examples.length} histories`)
  for (const { name, text, expected } of examples) t.same(kindsOf(text), [...expected].sort(), name)
})

t.test('no false alarm on clean histories', async (t) => {
  const alarms: number[] = []
  for (let seed = 0; seed < 300; seed++) {
    if (check(cleanHistory(new SeededRandom(seed))).length > 0) alarms.push(seed)
  }
  t.same(alarms, [])
})

t.test('every mutation of a clean history is caught', async (t) => {
  for (const [name, mutate] of Object.entries(mutations)) {
    let tried = 0
    const missed: number[] = []
    for (let seed = 0; seed < 100; seed++) {
      const random = new SeededRandom(seed)
      const mutated = mutate(cleanHistory(random), random)
      if (mutated === null) continue
      tried++
      if (check(mutated).length === 0) missed.push(seed)
    }
    t.ok(tried > 75, `${name}: tried on ${tried}`)
    t.same(missed, [], `${name}: caught in every one`)
  }
})
