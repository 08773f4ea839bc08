/** What the broker relies on, run on the real clock and on the virtual one. */
import t from 'tap'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import { NodeClock } from '../../src/io/node-clock.ts'
import type { Clock } from '../../src/io/world.ts'

const virtual = new VirtualClock()
const twins: [string, Clock, (ms: number) => Promise<void>][] = [
  ['the real clock', new NodeClock(), (ms) => new Promise((resolve) => setTimeout(resolve, ms))],
  ['the virtual clock', virtual, (ms) => virtual.advance(ms)],
]

for (const [name, clock, pass] of twins) {
  t.test(name, async (t) => {
    t.test('timers are called once, in the order of their time, and not before it', async (t) => {
      const calls: string[] = []
      const start = clock.monotonic()
      let calledAfter = 0
      clock.setTimer(30, () => calls.push('late'))
      clock.setTimer(10, () => {
        calls.push('early')
        calledAfter = clock.monotonic() - start
      })
      clock.setTimer(0, () => calls.push('at once'))
      t.same(calls, [], 'never within the call that sets them')
      await pass(60)
      t.same(calls, ['at once', 'early', 'late'])
      t.ok(calledAfter >= 9, `${calledAfter} ms`) // Node rounds to its own millisecond
    })

    t.test('a timer that was cancelled is not called, even when it is due', async (t) => {
      let called = 0
      const timer = clock.setTimer(5, () => called++)
      clock.setTimer(5, () => timer.cancel())
      const first = clock.setTimer(1, () => called++)
      first.cancel()
      first.cancel()
      const victim = clock.setTimer(20, () => called++)
      clock.setTimer(10, () => victim.cancel())
      await pass(40)
      t.ok(called <= 1, 'only the one that was called before it could be cancelled')
      timer.cancel()
    })

    t.test('far away and never', async (t) => {
      let called = 0
      const timers = [2 ** 40, Number.POSITIVE_INFINITY].map((ms) => clock.setTimer(ms, () => called++))
      await pass(20)
      t.equal(called, 0, 'a delay that does not fit the system is not called at once')
      for (const timer of timers) timer.cancel()
    })

    t.test('soon comes after what is ready, and before time passes', async (t) => {
      const calls: string[] = []
      clock.setTimer(15, () => calls.push('timer'))
      clock.soon(() => calls.push('soon'))
      await Promise.resolve().then(() => calls.push('promise'))
      await pass(40)
      t.same(calls, ['promise', 'soon', 'timer'])
    })

    t.test('monotonic time never goes back', async (t) => {
      let last = clock.monotonic()
      for (let i = 0; i < 1000; i++) {
        const now = clock.monotonic()
        if (now < last) t.fail('it went back')
        last = now
      }
      await pass(5)
      t.ok(clock.monotonic() >= last)
    })
  })
}

t.test('virtual time: an hour passes at once, the wall clock jumps alone', async (t) => {
  const clock = new VirtualClock(1000)
  const seen: number[] = []
  const tick = (): void => {
    seen.push(clock.now())
    if (seen.length < 60) clock.setTimer(60_000, tick)
  }
  clock.setTimer(60_000, tick)
  await clock.advance(3_600_000)
  t.equal(seen.length, 60)
  t.equal(seen.at(-1), 3_601_000)
  clock.jump(-500_000)
  t.equal(clock.now(), 3_101_000)
  t.equal(clock.monotonic(), 3_600_000)
  t.equal(clock.pendingTimers, 0)
})
