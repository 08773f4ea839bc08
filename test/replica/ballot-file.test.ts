/** A vote that was given is never forgotten. */
import t from 'tap'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import { BallotFile } from '../../src/replica/ballot-file.ts'

const ballot = { epoch: 1, votedFor: 2 }

t.test('the first vote of a partition survives a loss of power, though its folder is as new', async (t) => {
  // Of what was not synced, chance decides.
  for (let seed = 0; seed < 20; seed++) {
    const disk = new SimDisk({ canLosePower: true })
    const open = (): BallotFile => {
      const mount = disk.mount()
      const files = new FilePool({ disk: mount, openMax: 8 })
      return new BallotFile({ disk: mount, files, folder: '/partitions/t-0' })
    }
    disk.mount().mkdir('/partitions')
    disk.settleAll()
    disk.mount().mkdir('/partitions/t-0')
    await open().store(ballot)
    disk.losePower(new SeededRandom(seed))
    t.ok(disk.mount().stat('/partitions/t-0') !== null, `the folder is there, seed ${seed}`)
    t.same(open().read(), ballot, `seed ${seed}`)
  }
})
