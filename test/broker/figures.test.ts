import t from 'tap'
import { stallEvent } from '../../src/broker/figures.ts'

t.test('a stalled loop is worth a line above the setting, with what to think of', async (t) => {
  const window = { p50Ms: 1, p99Ms: 12.5, maxMs: 340.4, ownMaxMs: 337, cpu: { usedMs: 330, waitedMs: 3 } }
  t.equal(stallEvent(window, 0), null, '0: never')
  t.equal(stallEvent(window, 341), null)
  t.match(stallEvent(window, 200), {
    level: 'warn',
    event: 'loop.stalled',
    message: /for 340 ms; 330 ms of it at work: a garbage collection/,
    p99Ms: 12.5,
  })
  t.match(stallEvent({ ...window, cpu: { usedMs: 3, waitedMs: 320 } }, 200), {
    message: /320 ms of it without a CPU, which others on this machine had/,
  })
  t.match(stallEvent({ ...window, cpu: { usedMs: 3, waitedMs: 1 } }, 200), {
    message: /a disk that took no write/,
  })
})
