/** Applications that are bundled into few files work as they do unbundled. */
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import t from 'tap'
import { bootstrap } from '../wire/broker.ts'

const run = promisify(execFile)
const address = await bootstrap(t)
const folder = t.testdir({
  'package.json': '{ "type": "module" }',
  'application.js': `
    import { Client } from 'lograft/client'
    async function main() {
      let threads = 0
      process.on('worker', () => threads++)
      await using client = new Client({ bootstrap: process.argv[2] })
      const topic = process.argv[3]
      const producer = client.producer({ compression: process.argv[4] })
      const values = Array.from({ length: 2_000 }, (_, n) => JSON.stringify({ n, text: 'some text '.repeat(20) }))
      await producer.sendAll(values.map((value) => ({ topic, value, partition: 0 })))
      let equal = 0
      for await (const { value } of client.consumer({ topics: [topic], from: 'beginning', stopAtEnd: true })) {
        if (String(value) === values[equal]) equal++
      }
      console.log(equal, threads > 0)
    }
    main()
  `,
})
mkdirSync(join(folder, 'node_modules'))
symlinkSync(process.cwd(), join(folder, 'node_modules', 'lograft'))

async function play(file: string, codec: string): Promise<string> {
  const topic = `bundled-${file.replace(/\W/g, '-')}-${codec}`
  const { stdout, stderr } = await run(process.execPath, [join(folder, file), address, topic, codec])
  return `${stdout}${stderr}`
}

const common = {
  absWorkingDir: folder,
  bundle: true,
  platform: 'node',
  logLevel: 'silent',
  target: 'node20',
} as const

t.test('into one module: on the event loop', async (t) => {
  await build({
    ...common,
    entryPoints: ['application.js'],
    format: 'esm',
    outfile: join(folder, 'one/main.js'),
  })
  t.equal(await play('one/main.js', 'gzip'), '2000 false\n')
})

t.test('with the thread beside it: on a thread', async (t) => {
  const entryPoints = { main: 'application.js', 'compression-thread': 'lograft/client/compression-thread' }
  await build({ ...common, entryPoints, format: 'esm', splitting: true, outdir: join(folder, 'two') })
  t.equal(await play('two/main.js', 'gzip'), '2000 true\n')
})

t.test('as CommonJS: the packages beside it are found, too', async (t) => {
  const outdir = join(folder, 'three')
  const entryPoints = { main: 'application.js', 'compression-thread': 'lograft/client/compression-thread' }
  await build({ ...common, entryPoints, format: 'cjs', outdir })
  writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }')
  symlinkSync(join(process.cwd(), 'node_modules'), join(outdir, 'node_modules'))
  t.equal(await play('three/main.js', 'zstd'), '2000 true\n')
})
