/** What a loss of power does to the simulated disk. The tests of the log are worth as much as this is true to life. */
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'

const text = (disk: SimDisk, path: string): string => disk.bytesOf(path).toString()

/** The disk in each of many possible worlds after the power went. */
async function afterwards(
  prepare: (mount: ReturnType<SimDisk['mount']>, disk: SimDisk) => void | Promise<void>,
  look: (disk: SimDisk) => string,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>()
  for (let seed = 0; seed < 400; seed++) {
    const disk = new SimDisk({ canLosePower: true })
    disk.mount().mkdir('/d')
    disk.settleAll()
    await prepare(disk.mount(), disk)
    disk.losePower(new SeededRandom(seed))
    const found = look(disk)
    seen.set(found, (seen.get(found) ?? 0) + 1)
  }
  return seen
}

t.test('what was synced is there, always', async (t) => {
  const seen = await afterwards(
    async (mount) => {
      const file = mount.open('/d/f', 'create')
      file.write([Buffer.from('kept')], 0)
      await file.sync()
      await mount.syncFolder('/d')
      file.write([Buffer.from('lost')], 4)
    },
    (disk) => text(disk, '/d/f').slice(0, 4),
  )
  t.same([...seen.keys()], ['kept'])
})

t.test(
  'what was not synced: all, nothing, a part in whole sectors, zeros or garbage in its place',
  async (t) => {
    const seen = await afterwards(
      async (mount) => {
        const file = mount.open('/d/f', 'create')
        await file.sync()
        await mount.syncFolder('/d')
        file.write([Buffer.alloc(10_000, 'a')], 0)
      },
      (disk) => {
        const bytes = disk.bytesOf('/d/f')
        const kinds = [...new Set(bytes)].map((byte) => (byte === 97 ? 'a' : byte === 0 ? '0' : '?'))
        return `${bytes.length === 10_000 ? 'all' : bytes.length === 0 ? 'none' : bytes.length % 512 === 0 || bytes.length > 8192 ? 'part' : 'odd'} ${[...new Set(kinds)].sort().join('')}`
      },
    )
    for (const found of ['all a', 'none ', 'part a', 'all 0a']) t.ok(seen.has(found), found)
    t.ok(
      [...seen.keys()].some((found) => found.includes('?')),
      'garbage',
    )
    t.notOk([...seen.keys()].some((found) => found.startsWith('odd')))
  },
)

t.test('writes to different pages may be kept in any order', async (t) => {
  const seen = await afterwards(
    async (mount) => {
      const file = mount.open('/d/f', 'create')
      file.write([Buffer.alloc(8192, '.')], 0)
      await file.sync()
      await mount.syncFolder('/d')
      file.write([Buffer.from('1')], 0)
      file.write([Buffer.from('2')], 5000)
    },
    (disk) => text(disk, '/d/f').charAt(0) + text(disk, '/d/f').charAt(5000),
  )
  t.same([...seen.keys()].sort(), ['..', '.2', '1.', '12'])
})

t.test(
  'a name that no folder sync covered comes or not, whatever its file; a rename as a whole',
  async (t) => {
    const created = await afterwards(
      async (mount) => {
        const file = mount.open('/d/f', 'create')
        file.write([Buffer.from('x')], 0)
        await file.sync()
      },
      (disk) => disk.mount().list('/d').join(),
    )
    t.same([...created.keys()].sort(), ['', 'f'])
    const renamed = await afterwards(
      async (mount) => {
        for (const name of ['new', 'old']) {
          const file = mount.open(`/d/${name}`, 'create')
          file.write([Buffer.from(name)], 0)
          await file.sync()
        }
        await mount.syncFolder('/d')
        mount.rename('/d/new', '/d/old')
      },
      (disk) => disk.mount().list('/d').join() + text(disk, '/d/old'),
    )
    t.same([...renamed.keys()].sort(), ['new,oldold', 'oldnew'])
  },
)

t.test('a name that is given anew is not taken away by the move that had made it free', async (t) => {
  const seen = await afterwards(
    async (mount, disk) => {
      mount.mkdir('/d/name')
      mount.mkdir('/away')
      disk.settleAll()
      mount.rename('/d/name', '/away/name')
      mount.mkdir('/d/name')
      await mount.syncFolder('/d')
      await mount.syncFolder('/away')
    },
    (disk) => disk.mount().list('/d').join(),
  )
  t.same([...seen.keys()], ['name'])
})

t.test('a removed file may be back, and so may what a truncation took', async (t) => {
  const seen = await afterwards(
    async (mount) => {
      const file = mount.open('/d/f', 'create')
      file.write([Buffer.from('abcdef')], 0)
      await file.sync()
      await mount.syncFolder('/d')
      file.truncate(2)
      mount.remove('/d/f')
    },
    (disk) => (disk.mount().stat('/d/f') === null ? 'gone' : text(disk, '/d/f')),
  )
  t.same([...seen.keys()].sort(), ['ab', 'abcdef', 'gone'])
})

t.test('a sync that failed: the next one succeeds, and the pages are lost all the same', async (t) => {
  let fails = true
  const disk = new SimDisk({
    canLosePower: true,
    onOperation: ({ kind }) => (kind === 'sync' && fails ? { code: 'EIO' } : undefined),
  })
  const mount = disk.mount()
  const file = mount.open('/f', 'create')
  await mount.syncFolder('/')
  file.write([Buffer.from('gone')], 0)
  await t.rejects(file.sync(), Faulted)
  fails = false
  await file.sync()
  t.equal(text(disk, '/f'), 'gone', 'still seen: it is in the page cache')
  disk.losePower(new SeededRandom(1))
  t.equal(text(disk, '/f'), '')
})

t.test('a process that was killed: its data stays, its hands are off', async (t) => {
  let release = (): void => {}
  const disk = new SimDisk({
    canLosePower: true,
    device: ({ kind }) =>
      kind === 'sync' ? new Promise((resolve) => (release = resolve)) : Promise.resolve(),
  })
  const mount = disk.mount()
  t.ok(mount.lock('/lock'))
  const file = mount.open('/f', 'create')
  file.write([Buffer.from('here')], 0)
  let settled = false
  const onSettled = (): void => {
    settled = true
  }
  file.sync().then(onSettled, onSettled)
  disk.kill()
  release()
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(settled, 'nobody is left to hear of it')
  t.equal(text(disk, '/f'), 'here')
  t.throws(() => file.write([Buffer.from('late')], 0), Faulted)
  t.throws(() => mount.remove('/f'), Faulted)
  t.ok(disk.mount().lock('/lock'), 'its lock is free')
})

t.test('a crash during a write off the event loop leaves nothing, a part, or all', async (t) => {
  const buffers = ['ab', 'cdef', '', 'gh'].map((text) => Buffer.from(text))
  for (const [waits, seen] of [
    [0, '12'],
    [1, '12abc'],
    [2, '12abcdefgh'],
  ] as const) {
    // biome-ignore format: one table
    const held: (() => void)[] = []
    const disk = new SimDisk({
      device: () => new Promise((resolve) => held.push(resolve)),
      someOf: () => 3,
    })
    const file = disk.mount().open('/f', 'create')
    file.write([Buffer.from('12')], 0)
    const writing = file.writeAsync(buffers, 2)
    for (let i = 0; i < waits; i++) {
      held.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    t.equal(text(disk, '/f'), seen)
    disk.kill()
    for (const release of held) release()
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(text(disk, '/f'), seen, 'and what comes too late has no effect')
    if (waits === 2) await writing
  }
})

t.test('a write off the event loop that does not fit is cut short', async (t) => {
  const disk = new SimDisk({ capacityBytes: 10, someOf: () => 9 })
  const file = disk.mount().open('/f', 'create')
  await file.writeAsync([Buffer.from('123456')], 0)
  await t.rejects(file.writeAsync([Buffer.from('789'), Buffer.from('abc')], 6), /ENOSPC/)
  t.equal(text(disk, '/f'), '123456789a')
})

t.test('a disk of a size: a write that does not fit is cut short', async (t) => {
  const disk = new SimDisk({ capacityBytes: 10 })
  const mount = disk.mount()
  const file = mount.open('/f', 'create')
  file.write([Buffer.from('123456')], 0)
  t.throws(() => file.write([Buffer.from('789'), Buffer.from('abc')], 6), /ENOSPC/)
  t.equal(text(disk, '/f'), '123456789a')
  t.equal(mount.freeBytes('/'), 0)
  mount.remove('/f')
  t.equal(mount.freeBytes('/'), 10)
})

t.test('the same seed, the same world', async (t) => {
  const world = async (): Promise<string> => {
    const disk = new SimDisk({ canLosePower: true })
    const mount = disk.mount()
    const file = mount.open('/f', 'create')
    await mount.syncFolder('/')
    for (let i = 0; i < 20; i++) file.write([Buffer.alloc(3000, i)], i * 3000)
    disk.losePower(new SeededRandom(7).fork('disk'))
    return disk.bytesOf('/f').toString('hex')
  }
  t.equal(await world(), await world())
  const streams = [
    new SeededRandom(7).fork('a').float(),
    new SeededRandom(7).fork('b').float(),
    new SeededRandom(8).fork('a').float(),
  ]
  t.equal(new Set(streams).size, 3)
})
