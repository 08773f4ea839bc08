import t from 'tap'
import { stallEvent } from '../../src/broker/figures.ts'

t.test('a stalled loop is worth a line above the setting, with what to think of', async (t) => {
  const window = { p50Ms: 1, p99Ms: 12.5, maxMs: 340.4, cpuMs: 330 }
  t.equal(stallEvent(window, 0), null, '0: never')
  t.equal(stallEvent(window, 341), null)
  t.match(stallEvent(window, 200), {
    level: 'warn',
    event: 'loop.stalled',
    message: /for 340 ms \(CPU used meanwhile: 330 ms\).*garbage collection/,
    p99Ms: 12.5,
  })
  t.match(stallEvent({ ...window, cpuMs: 3 }, 200), { message: /without CPU to spare, for a disk/ })
})
