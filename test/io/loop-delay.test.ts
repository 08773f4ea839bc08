import t from 'tap'
import { LoopDelay, type LoopWindow } from '../../src/io/loop-delay.ts'
import { NodeClock } from '../../src/io/node-clock.ts'
import { type CpuTime, cpuClock } from '../../src/io/node-cpu.ts'

/** Time passes when told, and the loop may be busy then. */
class BusyClock {
  nowMs = 0
  #due: { readonly atMs: number; readonly callback: () => void } | null = null

  monotonic(): number {
    return this.nowMs
  }
  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    this.#due = { atMs: this.nowMs + delayMs, callback }
    return {
      cancel: () => {
        this.#due = null
      },
    }
  }
  /** So long nothing is called back; then what was due meanwhile is, once. */
  pass(ms: number): void {
    this.nowMs += ms
    const due = this.#due
    if (due === null || due.atMs > this.nowMs) return
    this.#due = null
    due.callback()
  }
}

function watched(): {
  clock: BusyClock
  loop: LoopDelay
  windows: LoopWindow[]
  work: (ms: number) => void
  starve: (ms: number) => void
} {
  const clock = new BusyClock()
  const windows: LoopWindow[] = []
  let cpu: CpuTime = { usedMs: 0, waitedMs: 0 }
  const loop = new LoopDelay({
    clock,
    everyMs: 10,
    windowMs: 1000,
    cpu: () => cpu,
    onWindow: (window) => windows.push(window),
  })
  const work = (ms: number): void => {
    cpu = { ...cpu, usedMs: cpu.usedMs + ms }
  }
  const starve = (ms: number): void => {
    cpu = { ...cpu, waitedMs: cpu.waitedMs + ms }
  }
  return { clock, loop, windows, work, starve }
}

t.test('what is due comes late by the stall, and the figures say by how much', async (t) => {
  const { clock, loop, windows, work, starve } = watched()
  for (let i = 0; i < 40; i++) clock.pass(10)
  t.match(loop.recent, { maxMs: 0 }, 'on time')
  work(20)
  starve(70)
  clock.pass(110)
  work(5)
  clock.pass(30)
  t.match(loop.recent, { p50Ms: 0, maxMs: 100 }, 'the window that has begun counts while there is no other')
  t.same(windows, [])
  for (let i = 0; i < 60; i++) clock.pass(10)
  t.match(windows, [{ p50Ms: 0, maxMs: 100, ownMaxMs: 30, cpu: { usedMs: 20, waitedMs: 70 } }])
  for (let i = 0; i < 200; i++) clock.pass(10)
  t.equal(windows.length, 3)
  t.match(loop.recent, { maxMs: 0 }, 'it is over')
  t.match(loop.sinceStart, { maxMs: 100 }, 'and not forgotten')
  loop.stop()
  clock.pass(10_000)
  t.equal(windows.length, 3)
})

t.test('of a real event loop', async (t) => {
  const clock = new NodeClock()
  const window = await new Promise<LoopWindow>((resolve) => {
    const loop = new LoopDelay({
      clock,
      cpu: cpuClock(),
      everyMs: 10,
      windowMs: 300,
      onWindow: (ended) => {
        loop.stop()
        resolve(ended)
      },
    })
    setTimeout(() => {
      const cpu = cpuClock()
      const { usedMs } = cpu()
      while (cpu().usedMs - usedMs < 80); // 80 ms of work, however long that takes here
    }, 50)
    const awake = setInterval(() => {}, 50)
    t.teardown(() => clearInterval(awake))
  })
  t.ok(window.maxMs >= 60, `late by ${window.maxMs} ms`)
  t.ok(window.cpu.usedMs >= 60, `${window.cpu.usedMs} ms of work`)
  t.ok(window.ownMaxMs >= 60 && window.ownMaxMs <= window.maxMs)
  t.ok(window.p50Ms < window.maxMs)
})
