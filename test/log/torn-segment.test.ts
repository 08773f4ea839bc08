/**
 * A crash may leave a segment in which not one batch is whole: its bytes go, and the operator hears of it.
 */
import t from 'tap'
import { append, Bench, flush, segmentPath, startEpoch } from './fixture.ts'

t.test('a segment whose first batch is torn is cut aloud', async (t) => {
  const bench = new Bench()
  const log = await bench.open()
  startEpoch(log)
  await flush(log)
  append(log, { size: 400 })
  log.write()
  bench.kill()
  bench.disk.damage(segmentPath(0), (bytes) => bytes.subarray(0, 100))
  bench.events.length = 0
  const again = await bench.open()
  t.equal(again.end, 0)
  t.match(
    bench.events.filter(({ event }) => event === 'log.tail.cut'),
    [{ file: segmentPath(0), position: 0, bytes: 100, offset: 0, message: /cut 100 torn bytes at 0: short/ }],
  )
})
