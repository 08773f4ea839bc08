import t from 'tap'
import { RequestMemory } from '../../src/server/request-memory.ts'

/** A reader of frames: takes bytes when it may. */
class Taker {
  asked = 0
  mayRead: boolean
  constructor(readonly memory: RequestMemory) {
    this.mayRead = memory.mayRead(this)
  }
  readAgain(): void {
    this.asked++
    this.mayRead = this.memory.mayRead(this)
  }
}

t.test('beyond the bound only the first in line goes on; room lets the others go on too', async (t) => {
  const memory = new RequestMemory(100)
  memory.take(100)
  const [first, second, third] = [new Taker(memory), new Taker(memory), new Taker(memory)]
  t.same([first.mayRead, second.mayRead, third.mayRead], [true, false, false])
  memory.take(50)
  memory.release(20)
  t.same([first.mayRead, second.mayRead, third.mayRead], [true, false, false], 'still over the bound')
  memory.leave(first)
  t.same([second.mayRead, third.mayRead], [true, false], 'the next in line takes its place')
  memory.release(60)
  t.same([second.mayRead, third.mayRead], [true, true])
  t.equal(memory.used, 70)
  t.ok(memory.mayRead(first), 'nobody is in line any more')
})

t.test('half frames that fill the memory do not wait for each other for ever', async (t) => {
  const memory = new RequestMemory(100)
  let whole = 0
  class Half {
    bytes = 0
    isReading = memory.mayRead(this)
    readAgain(): void {
      this.isReading = memory.mayRead(this)
    }
    /** Ten bytes of a frame of 80 come; when it is whole it is answered, and its bytes go. */
    receive(): void {
      memory.take(10)
      this.bytes += 10
      if (this.bytes === 80) {
        whole++
        memory.leave(this)
        memory.release(80)
      } else this.isReading = memory.mayRead(this)
    }
  }
  const halves = Array.from({ length: 5 }, () => new Half())
  let mostUsed = 0
  for (let round = 0; round < 100; round++) {
    for (const half of halves) {
      if (half.isReading && half.bytes < 80) half.receive()
      mostUsed = Math.max(mostUsed, memory.used)
    }
  }
  t.equal(whole, 5)
  t.equal(memory.used, 0)
  t.ok(mostUsed <= 100 + 80 + 5 * 10, `the bound, one frame, and a read of each: ${mostUsed}`)
})
