import t from 'tap'
import { Share, Turns } from '../../src/server/turns.ts'

/** Time passes when told; the end of a turn comes when told. */
class TurnClock {
  nowMs = 0
  readonly #soon: (() => void)[] = []

  monotonic(): number {
    return this.nowMs
  }
  soon(callback: () => void): void {
    this.#soon.push(callback)
  }
  next(): void {
    for (const callback of this.#soon.splice(0)) callback()
  }
}

function turnsWith(limits: { ms?: number; requests?: number; bytes?: number }): {
  clock: TurnClock
  turns: Turns
} {
  const clock = new TurnClock()
  const turns = new Turns(clock, {
    turnMsMax: limits.ms ?? 1000,
    connectionTurnRequestsMax: limits.requests ?? 1000,
    connectionTurnBytesMax: limits.bytes ?? 1000,
  })
  return { clock, turns }
}

/** A client that wants to start request after request, each of which takes `eachMs`. */
class Greedy {
  started = 0
  readonly share: Share
  constructor(
    turns: Turns,
    readonly begin: () => void,
  ) {
    this.share = new Share(turns, () => this.goOn())
  }
  goOn(): void {
    while (this.share.mayStart()) {
      this.share.started()
      this.started++
      this.begin()
    }
  }
}

t.test('so many requests of one connection, so many bytes: then the next turn', async (t) => {
  const { clock, turns } = turnsWith({ requests: 3, bytes: 100 })
  const one = new Greedy(turns, () => {})
  one.goOn()
  t.equal(one.started, 3)
  const other = new Greedy(turns, () => {})
  other.goOn()
  t.equal(other.started, 3, 'that of another does not count')
  clock.next()
  t.equal(one.started, 6)

  const reader = new Share(turns, () => {})
  reader.received(60)
  t.notOk(reader.isWaiting)
  reader.received(60)
  t.ok(reader.isWaiting)
  t.notOk(reader.mayStart())
  clock.next()
  t.notOk(reader.isWaiting)
  t.ok(reader.mayStart())
})

t.test('so long for all together; who waited is before who went on', async (t) => {
  const { clock, turns } = turnsWith({ ms: 5 })
  const order: string[] = []
  const greedy = ['a', 'b', 'c'].map(
    (name) =>
      new Greedy(turns, () => {
        order.push(name)
        clock.nowMs += 3
      }),
  )
  for (const one of greedy) one.goOn()
  t.same(order, ['a', 'a'], 'two of 3 ms, and the turn is over')
  const patient = new Share(turns, () => order.push('patient'))
  t.notOk(patient.mayStart(), 'for everybody')
  order.length = 0
  for (let turn = 0; turn < 4; turn++) clock.next()
  t.same(order, ['a', 'a', 'b', 'b', 'c', 'c', 'patient', 'a', 'a'], 'one round is all that it waits')
})

t.test(
  'one request starts in every turn, however long they take; who is gone is not waited for',
  async (t) => {
    const { clock, turns } = turnsWith({ ms: 5 })
    const slow = new Greedy(turns, () => {
      clock.nowMs += 100
    })
    const gone = new Greedy(turns, () => t.fail('nobody is there'))
    slow.goOn()
    gone.goOn()
    gone.share.close()
    for (let turn = 0; turn < 10; turn++) clock.next()
    t.equal(slow.started, 11)
  },
)
