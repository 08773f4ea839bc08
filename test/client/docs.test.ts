/** docs/client.md: every block compiles as strictly as the code, and runs to its end. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { Client } from '../../client/client.ts'
import { environment, startBroker, withoutLoader } from '../wire/broker.ts'
import { RegistryServer } from './registry-server.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const page = readFileSync(join(root, 'docs/client.md'), 'utf8')
const blocks = [...page.matchAll(/^## (.+)$|^```ts\n([\s\S]*?)^```$/gm)]

/** What the blocks print, by the first line that matters; a block that prints nothing has not run. */
const printed: readonly RegExp[] = [
  /^stored at 0:0\n$/,
  /^1000 records are stored\n$/,
  /^all are acknowledged\n$/,
  /^billed paid\nbilled order 0\n/,
  /^now also 0\nstored \d+\n[\s\S]*no more 0\n$/,
  /^the loop has ended: committed, and out of the group\n$/,
  /^12\.50\n$/,
  /^a1: 12\.50 at 20[-\d]+T[:.\d]+Z\n$/,
  /^UNKNOWN_TOPIC_OR_PARTITION true create the topic/,
  /took \d+\.\d ms\n[\s\S]*1\n$/,
  /^\[ '0 to 0', '1 to 0', '2 to 0' \]\n$/,
]

t.test('the blocks of docs/client.md', async (t) => {
  const broker = await startBroker(t)
  const registry = await RegistryServer.listen(t)
  await using client = new Client({ bootstrap: broker.bootstrap })
  await client
    .admin()
    .createTopics(
      ['orders', 'readings', 'purchases', 'customers', 'payments'].map((name) => ({ name, partitions: 1 })),
    )
  // Inside the package, so that it finds itself under its own name.
  mkdirSync(join(root, 'build'), { recursive: true })
  const folder = mkdtempSync(join(root, 'build/docs-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  let heading = ''
  const files: { name: string; title: string }[] = []
  for (const [, title, code] of blocks) {
    if (title !== undefined) heading = title
    if (code === undefined) continue
    const name = `block-${files.length}`
    files.push({ name, title: heading })
    writeFileSync(
      join(folder, `${name}.ts`),
      code.replaceAll('127.0.0.1:9092', broker.bootstrap).replaceAll('http://127.0.0.1:8081', registry.url),
    )
  }
  const compilerOptions = {
    rootDir: '.',
    outDir: 'out',
    incremental: false,
    declaration: false,
    sourceMap: false,
  }
  const config = { extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const [compiler, flags] = withoutLoader(join(root, 'node_modules/.bin/tsc'), '-p', folder)
  const compiled = await run(compiler, flags, { env: environment() }).catch(
    (failed: { stdout: string; stderr: string }) => failed,
  )
  t.equal(`${compiled.stdout}${compiled.stderr}`, '', 'they compile')
  t.equal(files.length, printed.length, 'each has its expectation here')
  for (const [i, { name, title }] of files.entries()) {
    const [program, args] = withoutLoader(process.execPath, join(folder, 'out', `${name}.js`))
    const ended = await run(program, args, { env: environment(), timeout: 30_000 }).catch(
      (failed: { stdout: string; stderr: string }) => failed,
    )
    t.equal(ended.stderr, '', `${title}: block ${i} runs`)
    t.match(ended.stdout, printed[i], 'and prints what it should')
  }
})
