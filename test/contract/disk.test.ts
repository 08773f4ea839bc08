/** What the log relies on, run on the real disk and on the simulated one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { SimDisk } from '../../src/embedded/sim-disk.ts'
import { NodeDisk } from '../../src/io/node-disk.ts'
import type { Disk } from '../../src/io/world.ts'

const real = mkdtempSync(join(tmpdir(), 'lograft-disk-'))
t.teardown(() => rmSync(real, { recursive: true, force: true }))

const twins: [string, () => { disk: Disk; root: string }][] = [
  ['the real disk', () => ({ disk: new NodeDisk(), root: real })],
  [
    'the simulated disk',
    () => {
      const disk = new SimDisk({ canLosePower: true }).mount()
      disk.mkdir('/data')
      return { disk, root: '/data' }
    },
  ],
]

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (!(error instanceof Faulted) || error.door !== 'disk') throw error
    return (error.cause as NodeJS.ErrnoException).code ?? ''
  }
  return 'none'
}

for (const [name, make] of twins) {
  t.test(name, async (t) => {
    const { disk, root } = make()

    t.test('a file keeps what was written, where it was written', async (t) => {
      const file = disk.open(`${root}/file`, 'create')
      file.write([Buffer.from('hello '), Buffer.alloc(0), Buffer.from('world')], 0)
      file.write([Buffer.from('W')], 6)
      t.equal(file.size(), 11)
      const into = Buffer.alloc(20)
      t.equal(file.read(into, 0), 11, 'a read ends with the file')
      t.equal(into.toString('utf8', 0, 11), 'hello World')
      t.equal(await file.readAsync(into.subarray(0, 5), 6), 5)
      t.equal(into.toString('utf8', 0, 5), 'World')
      t.equal(file.read(into, 100), 0)
      t.equal(await file.readAsync(into, 11), 0)
      await file.writeAsync([Buffer.from('you, '), Buffer.alloc(0), Buffer.from('W')], 0)
      await file.writeAsync([], 100)
      t.equal(file.read(into, 0), 11, 'likewise off the event loop')
      t.equal(into.toString('utf8', 0, 11), 'you, WWorld')
      file.write([Buffer.from('!')], 14)
      t.equal(file.size(), 15, 'a gap is filled')
      file.read(into, 0)
      t.same([...into.subarray(11, 15)], [0, 0, 0, 33], 'with zeros')
      await file.sync()
      file.truncate(5)
      t.equal(file.size(), 5)
      file.truncate(7)
      t.equal(file.read(into, 0), 7)
      t.equal(into.toString('latin1', 0, 7), 'you, \0\0')
      file.close()
      file.close()
      t.equal(
        codeOf(() => file.read(into, 0)),
        'EBADF',
      )
      await t.rejects(file.sync(), Faulted)
      await t.rejects(file.writeAsync([Buffer.from('late')], 0), Faulted)
    })

    t.test('more buffers than one system call takes', async (t) => {
      const file = disk.open(`${root}/many`, 'create')
      const buffers = Array.from({ length: 5000 }, (_, i) => Buffer.from(`${i},`))
      file.write(buffers, 0)
      const all = Buffer.concat(buffers)
      const into = Buffer.alloc(all.length)
      t.equal(file.read(into, 0), all.length)
      t.ok(into.equals(all))
      await file.writeAsync(buffers, 1)
      t.equal(file.read(into, 1), all.length)
      t.ok(into.equals(all), 'likewise off the event loop')
      file.close()
    })

    t.test('opening: reading and writing need the file, creating never truncates', async (t) => {
      t.equal(
        codeOf(() => disk.open(`${root}/none`, 'read')),
        'ENOENT',
      )
      t.equal(
        codeOf(() => disk.open(`${root}/none`, 'write')),
        'ENOENT',
      )
      disk.open(`${root}/some`, 'create').write([Buffer.from('abc')], 0)
      t.equal(disk.open(`${root}/some`, 'create').size(), 3)
      t.equal(
        codeOf(() => disk.open(`${root}/no/such/folder`, 'create')),
        'ENOENT',
      )
    })

    t.test('folders: made with their parents, listed in order, renamed, removed', async (t) => {
      disk.mkdir(`${root}/a/b/c`)
      disk.mkdir(`${root}/a/b/c`)
      for (const one of ['z', 'x', 'y']) disk.open(`${root}/a/b/c/${one}`, 'create').close()
      t.same(disk.list(`${root}/a/b/c`), ['x', 'y', 'z'])
      t.equal(
        codeOf(() => disk.list(`${root}/a/none`)),
        'ENOENT',
      )
      disk.rename(`${root}/a/b/c/x`, `${root}/a/b/c/z`)
      t.same(disk.list(`${root}/a/b/c`), ['y', 'z'], 'a rename takes the place of what was there')
      disk.rename(`${root}/a/b`, `${root}/a/d`)
      t.same(disk.list(`${root}/a/d/c`), ['y', 'z'], 'a folder moves with all it holds')
      t.equal(
        codeOf(() => disk.rename(`${root}/none`, `${root}/some`)),
        'ENOENT',
      )
      await disk.syncFolder(`${root}/a/d/c`)
      disk.remove(`${root}/a/d/c/y`)
      disk.remove(`${root}/a/d/c/y`)
      t.same(disk.list(`${root}/a/d/c`), ['z'])
      await disk.removeFolder(`${root}/a`)
      await disk.removeFolder(`${root}/a`)
      t.equal(disk.stat(`${root}/a`), null)
      await t.rejects(disk.syncFolder(`${root}/a`), Faulted)
    })

    t.test('stat and space', async (t) => {
      disk.open(`${root}/sized`, 'create').write([Buffer.alloc(1234)], 0)
      t.match(disk.stat(`${root}/sized`), { size: 1234, isFolder: false })
      t.match(disk.stat(root), { isFolder: true })
      t.equal(disk.stat(`${root}/nothing`), null)
      t.ok(disk.freeBytes(root) > 1_000_000)
    })

    t.test('a lock has one holder', async (t) => {
      const first = disk.lock(`${root}/lock`)
      t.ok(first)
      t.equal(disk.lock(`${root}/lock`), null)
      first?.release()
      const second = disk.lock(`${root}/lock`)
      t.ok(second)
      first?.release()
      t.equal(disk.lock(`${root}/lock`), null, 'releasing twice does not release the next holder')
      second?.release()
    })

    t.test('a file that is removed is still there for who has it open', async (t) => {
      const file = disk.open(`${root}/gone`, 'create')
      file.write([Buffer.from('still here')], 0)
      disk.remove(`${root}/gone`)
      disk.open(`${root}/gone`, 'create').write([Buffer.from('another')], 0)
      const into = Buffer.alloc(10)
      t.equal(await file.readAsync(into, 0), 10)
      t.equal(into.toString(), 'still here')
    })

    t.test('closing does not disturb a read, a write or a sync that is under way', async (t) => {
      const file = disk.open(`${root}/busy`, 'create')
      file.write([Buffer.alloc(1 << 20, 7)], 0)
      const into = Buffer.alloc(1 << 20)
      const reading = file.readAsync(into, 0)
      const syncing = file.sync()
      const writing = file.writeAsync([Buffer.alloc(1 << 20, 8), Buffer.alloc(1 << 20, 8)], 1 << 20)
      file.close()
      // Had the descriptor been given back, the next file would get its number.
      const next = disk.open(`${root}/next`, 'create')
      next.write([Buffer.alloc(1 << 20, 9)], 0)
      t.equal(await reading, 1 << 20)
      await syncing
      await writing
      t.equal(disk.stat(`${root}/busy`)?.size, 3 << 20)
      t.ok(into.every((byte) => byte === 7))
      t.equal(next.size(), 1 << 20)
      next.close()
    })
  })
}
