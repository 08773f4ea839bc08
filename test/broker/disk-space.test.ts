/** The look at what is free, and a disk that does not answer. */
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { DiskSpace } from '../../src/broker/disk-space.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'

t.test('a disk that cannot say what is free is told of once, and what was known goes on', async (t) => {
  const clock = new VirtualClock()
  const events: string[] = []
  let free: number | null = 600
  const space = new DiskSpace({
    clock,
    disk: {
      totalBytes: () => 16_000,
      freeBytes: () => {
        if (free === null) throw new Faulted('disk', 'statfs /data')
        return free
      },
    },
    path: '/data',
    freeBytesMin: 500,
    onRoom: () => {},
    onEvent: ({ event }) => events.push(event),
  })
  space.start()
  free = null
  await clock.advance(3000)
  t.same(events, ['disk.unknown'])
  t.equal(space.refusal(), null)
  space.take(200)
  t.equal(space.refusal()?.code, 'KAFKA_STORAGE_ERROR', 'what is taken meanwhile is counted')
  free = 600
  await clock.advance(1000)
  t.equal(space.refusal(), null)
  free = null
  await clock.advance(1000)
  t.equal(events.filter((event) => event === 'disk.unknown').length, 2)
  space.stop()
})
