/**
 * What only the real twins have: processes that die with a lock, descriptors, a net that runs out of them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Faulted } from '../../src/base/errors.ts'
import { NodeDisk } from '../../src/io/node-disk.ts'
import { nodeWorld } from '../../src/io/node-world.ts'

const folder = mkdtempSync(join(tmpdir(), 'lograft-io-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const { NODE_OPTIONS: _, ...env } = process.env
const built = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

t.test('the lock of another process: held while it lives, free when it is killed', async (t) => {
  for (const path of [`${process.env.PATH}`, '/nonexistent']) {
    const what = path === '/nonexistent' ? 'without the command flock' : 'with flock'
    const lock = join(folder, `lock-${what.length}`)
    // process.execPath is absolute, so the child starts without a PATH; what it looks for there it does not
    // find.
    const script = `import { NodeDisk } from '${built('src/io/node-disk.js')}'
      const held = new NodeDisk().lock('${lock}')
      console.log(held === null ? 'refused' : 'held')
      setInterval(() => {}, 1000)`
    const start = async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...env, PATH: path },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      return { child, said: said.toString().trim() }
    }
    const first = await start()
    t.equal(first.said, 'held', what)
    t.match(readFileSync(lock, 'utf8'), new RegExp(`^${first.child.pid} `), 'the file names the holder')
    const second = await start()
    t.equal(second.said, 'refused', what)
    for (const { child } of [first, second]) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const third = await start()
    t.equal(third.said, 'held', `${what}: after kill -9`)
    third.child.kill('SIGKILL')
    await once(third.child, 'exit')
  }
})

t.test('a lock is not inherited by what this process starts', async (t) => {
  const disk = new NodeDisk()
  const path = join(folder, 'lock')
  const lock = disk.lock(path)
  t.ok(lock)
  const child = spawn('sleep', ['30'], { stdio: 'ignore' })
  lock?.release()
  const again = disk.lock(path)
  t.ok(again, 'free although a child of the holder still runs')
  again?.release()
  child.kill('SIGKILL')
})

t.test('descriptors are given back', async (t) => {
  const disk = new NodeDisk()
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  const files = Array.from({ length: 50 }, (_, i) => disk.open(join(folder, `file-${i}`), 'create'))
  for (const file of files) file.write([Buffer.from('x')], 0)
  const busy = files.map((file) => Promise.all([file.sync(), file.readAsync(Buffer.alloc(1), 0)]))
  for (const file of files) file.close()
  await Promise.all(busy)
  await disk.syncFolder(folder)
  t.equal(open(), before)
})

t.test('the error of the system is the cause', async (t) => {
  const disk = new NodeDisk()
  const error = await disk.syncFolder(join(folder, 'none')).catch((caught: unknown) => caught)
  t.ok(error instanceof Faulted)
  t.match(error, { door: 'disk', cause: { code: 'ENOENT' } })
  t.throws(() => disk.open(folder, 'write'), /EISDIR/)
})

t.test('chance', async (t) => {
  const { random } = nodeWorld()
  const draws = Array.from({ length: 1000 }, () => random.below(3))
  t.same([...new Set(draws)].sort(), [0, 1, 2])
  t.ok(random.float() < 1)
  t.not(random.bytes(16).toString('hex'), random.bytes(16).toString('hex'))
})
