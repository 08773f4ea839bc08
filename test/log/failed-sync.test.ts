/** after a failed sync the page cache shows what the disk has never got, and a second sync says that all is well. */
import t from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { VirtualClock } from '../../src/embedded/virtual-clock.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import { stamp } from '../../src/records/batch.ts'
import { batchOf } from '../handlers/fixture.ts'
import { smallSettings } from './fixture.ts'

const clock = new VirtualClock()

t.test(
  'what a restart finds behind a failed sync survives a loss of power once it is called durable',
  async (t) => {
    for (const failing of ['.log', 'journal']) {
      let isFailing = false
      const disk = new SimDisk({
        canLosePower: true,
        onOperation: ({ kind, path }) => {
          if (!isFailing || kind !== 'sync' || !path.endsWith(failing)) return undefined
          isFailing = false
          return { code: 'EIO' }
        },
      })
      disk.mount().mkdir('/data')
      disk.settleAll()
      const open = () => {
        const mount = disk.mount()
        const files = new FilePool({ disk: mount, openMax: 9 })
        const world = { disk: mount, clock }
        return openLog({ world, folder: '/data/p', settings: smallSettings, files })
      }
      let log = await open()
      log.appendMark({ kind: 'epochStart', leaderId: 1 }, 1)
      log.write()
      await log.sync()
      const batch = batchOf(['a'])
      stamp(batch, 0, { baseOffset: 0, leaderEpoch: 1 })
      log.append(batch)
      if (failing === 'journal') log.appendMark({ kind: 'epochStart', leaderId: 1 }, 2)
      isFailing = true
      log.write()
      await t.rejects(log.sync(), { name: 'Faulted' })
      disk.kill()
      log = await open()
      const { end, durablePosition, endPosition } = log
      t.equal(durablePosition, endPosition, 'the restart calls everything durable')
      disk.losePower(new SeededRandom(1))
      log = await open()
      t.match(
        { end: log.end, endPosition: log.endPosition },
        { end, endPosition },
        `after a failed sync of ${failing}`,
      )
      await log.close()
    }
  },
)
