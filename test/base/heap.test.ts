import fc from 'fast-check'
import t from 'tap'
import { KeyedHeap } from '../../src/base/heap.ts'

t.test('a heap answers as a sorted list would, whatever is set, moved and removed', async (t) => {
  const step = fc.record({ key: fc.nat(20), priority: fc.option(fc.integer({ min: -5, max: 30 })) })
  const property = fc.property(
    fc.array(step, { maxLength: 200 }),
    fc.nat(30),
    fc.nat(25),
    (steps, bound, limit) => {
      const heap = new KeyedHeap<number>()
      const model = new Map<number, number>()
      for (const { key, priority } of steps) {
        if (priority === null) {
          if (heap.delete(key) !== model.delete(key)) return false
        } else {
          heap.set(key, priority)
          model.set(key, priority)
        }
        const least = model.size === 0 ? undefined : Math.min(...model.values())
        if (heap.size !== model.size || heap.min?.priority !== least) return false
        if (heap.min !== undefined && model.get(heap.min.key) !== least) return false
      }
      const due = [...model].filter(([, priority]) => priority <= bound).map(([key]) => key)
      const found = heap.upTo(bound, limit)
      return (
        found.length === Math.min(due.length, limit) &&
        new Set(found).size === found.length &&
        found.every((key) => due.includes(key)) &&
        [...model].every(([key, priority]) => heap.priorityOf(key) === priority)
      )
    },
  )
  fc.assert(property, { numRuns: 500 })
  t.pass('500 sequences')
})

t.test('an empty heap has no least key', async (t) => {
  const heap = new KeyedHeap<string>()
  t.equal(heap.min, undefined)
  heap.set('a', 1)
  heap.clear()
  t.equal(heap.min, undefined)
  t.strictSame(heap.upTo(9, 9), [])
  t.notOk(heap.delete('a'))
})
