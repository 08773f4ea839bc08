/** Help, and what a wrong command line gets: exit 2 and a sentence that names the flag. No broker is needed. */
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { lograft } from './command.ts'

const golden = fileURLToPath(new URL('../../../test/cli/help.txt', import.meta.url))

t.test('help, word for word', async (t) => {
  const commands = [
    [],
    ['start'],
    ['topic'],
    ['topic', 'create'],
    ['topic', 'alter'],
    ['produce'],
    ['consume'],
    ['group'],
    ['group', 'reset-offsets'],
    ['cluster'],
    ['cluster', 'reassign'],
    ['cluster', 'transfer-leadership'],
    ['cluster', 'decommission'],
    ['log'],
  ]
  const texts: string[] = []
  for (const words of commands) {
    const { code, stdout, stderr } = await lograft([...words, '--help'])
    t.equal(code, 0)
    t.equal(stderr, '')
    texts.push(`$ lograft ${[...words, '--help'].join(' ')}\n${stdout}`)
  }
  // UPDATE_GOLDEN=1 writes what is printed now; read the difference before you commit it.
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, texts.join('\n'))
  t.equal(texts.join('\n'), readFileSync(golden, 'utf8'))
})

t.test('version', async (t) => {
  const { code, stdout } = await lograft(['--version'])
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  t.same([code, stdout], [0, `${version}\n`])
})

t.test('wrong usage', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lograft-cli-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const config = join(folder, 'server.properties')
  await writeFile(config, '# comment\nlog.segment.bytes=many\nno.such.setting=1\n')
  const cases: readonly [readonly string[], RegExp][] = [
    [[], /Usage: lograft/],
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['topic'], /Usage: lograft topic/],
    [['topic', 'crate'], /unknown command 'crate'\n\(Did you mean create\?\)/],
    [['topic', 'create'], /missing required argument 'NAME'/],
    [['topic', 'create', 'x', '--partitions', 'three'], /'--partitions <N>'.*whole number/],
    [['topic', 'create', 'x', '--config', 'novalue'], /'--config <NAME=VALUE>'.*NAME=VALUE/],
    [['topic', 'alter', 'x'], /needs --partitions, --config or --delete-config/],
    [['topic', 'list', '--bootstrap', 'nowhere'], /'--bootstrap <HOST:PORT>'.*must be HOST:PORT/],
    [['produce', 'x', '--acks', '2'], /'--acks <ACKS>'.*Allowed choices are 0, 1, all/],
    [['produce', 'x', '--compression', 'zip'], /'--compression <CODEC>'.*Allowed choices/],
    [['produce', 'x', '--key-separator', ''], /--key-separator must not be empty/],
    [['consume', 'x', '--from', 'yesterday'], /'--from <PLACE>'.*beginning, end, an OFFSET, or a TIMESTAMP/],
    [['consume', 'x', '--count', '0'], /'--count <N>'.*at least 1/],
    [['consume', 'x', '--format', '%q'], /--format: '%q' means nothing/],
    [['consume', 'x', '--json', '--format', '%v'], /--format does not go with --json/],
    [['consume', 'x', '--group', 'g', '--partition', '0'], /--partition does not go with --group/],
    [['group', 'reset-offsets', 'g'], /required option '--to <PLACE>' not specified/],
    [['cluster', 'reassign'], /needs --topic and --replicas, or --file, or --list, or --cancel/],
    [['cluster', 'reassign', '--topic', 't'], /needs --topic and --replicas/],
    [['cluster', 'reassign', '--topic', 't', '--replicas', '1,1'], /'--replicas <ID,...>'.*twice/],
    [['cluster', 'reassign', '--topic', 't', '--replicas', 'a'], /'--replicas <ID,...>'.*broker ids/],
    [['cluster', 'reassign', '--partition', '1', '--replicas', '1'], /--partition needs --topic/],
    [['cluster', 'reassign', '--file', 'p', '--topic', 't'], /--file does not go with --topic/],
    [['cluster', 'reassign', '--file', 'p', '--replicas', '1'], /--replicas does not go with --file/],
    [['cluster', 'reassign', '--cancel', '--replicas', '1'], /--replicas does not go with --cancel/],
    [['cluster', 'reassign', '--list', '--cancel'], /--list does not go with --cancel/],
    [['cluster', 'reassign', '--list', '--wait'], /--wait does not go with --list/],
    [['cluster', 'transfer-leadership'], /needs a topic and a partition with --to, or --from/],
    [['cluster', 'transfer-leadership', 't'], /needs a partition of topic t/],
    [['cluster', 'transfer-leadership', 't', 'x'], /a partition must be a whole number/i],
    [['cluster', 'transfer-leadership', 't', '0'], /needs --to/],
    [['cluster', 'transfer-leadership', 't', '0', '--from', '1'], /--from stands for all partitions/],
    [['cluster', 'decommission'], /missing required argument 'ID'/],
    [['cluster', 'decommission', '1', '--wave', '0'], /'--wave <N>'.*from 1/],
    [['start', '--prot', '1'], /unknown option '--prot'\n\(Did you mean --port\?\)/],
    [['start', '--port', '65536'], /'--port <PORT>'.*from 0 to 65535/],
    [['start', '--node-id', '-1'], /'--node-id <ID>'/],
    [['start', '--set', 'x'], /'--set <NAME=VALUE>'/],
    [
      ['start', '--set', 'log.segment.byte=1'],
      /--set: setting 'log.segment.byte' is not a setting; did you mean/,
    ],
    [['start', '--set', 'num.partitions=0'], /--set: setting 'num.partitions' must be at least 1/],
    [['start', '--set', 'listeners=SSL://:9093'], /setting 'listeners' wants one PLAINTEXT:\/\/HOST:PORT/],
    [['start', '--config', join(folder, 'absent')], /--config: .*absent cannot be read/],
    [
      ['start', '--config', config],
      /log.segment.bytes' wants a whole number[\s\S]*'no.such.setting' is not a setting/,
    ],
    [['start', '--voters', '1@a:1,2@b:0'], /--voters: node 2 needs a port that the others can know, not 0/],
    [['start', '--voters', '1@a:1,1@b:2'], /'--voters <ID@HOST:PORT,...>'.*No id may be there twice/],
    [['start', '--voters', 'a:1'], /'--voters <ID@HOST:PORT,...>'.*ID@HOST:PORT/],
  ]
  for (const [words, sentence] of cases) {
    const { code, stdout, stderr } = await lograft(words, { cwd: folder })
    t.same({ code, stdout }, { code: 2, stdout: '' }, `lograft ${words.join(' ')}`)
    t.match(stderr, sentence)
    t.notMatch(stderr, /\n {4}at /, 'no stack trace')
  }
  const { code, stderr } = await lograft(['start', '--port', '0'], {
    cwd: folder,
    env: { LOGRAFT_NUM_PARTITIONS: 'x' },
  })
  t.equal(code, 2)
  t.match(stderr, /environment: setting 'num.partitions' wants a whole number/)
})

t.test('a broker that is not there, or is none', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bootstrap = `127.0.0.1:${(server.address() as { port: number }).port}`
  const foreign = await lograft(['topic', 'list', '--bootstrap', bootstrap])
  t.same([foreign.code, foreign.stdout], [1, ''])
  t.match(foreign.stderr, `lograft: ${bootstrap} does not speak the Kafka protocol: it is an HTTP server`)
  await new Promise((resolve) => server.close(resolve))

  const absent = await lograft(['consume', 'x', '--bootstrap', bootstrap])
  t.equal(absent.code, 1)
  t.equal(
    absent.stderr,
    `lograft: broker ${bootstrap} refused the connection: is it running? start one with lograft start\n`,
  )
  const file = await lograft(['produce', 'x', '--file', '/no/such/file', '--bootstrap', bootstrap])
  t.equal(file.code, 1)
  t.match(file.stderr, /--file: \/no\/such\/file cannot be read/)
})
