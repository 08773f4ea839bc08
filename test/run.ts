/**
 * `npm test`: runs tap over the compiled tests, turns its TAP stream into a report that a person can follow, and closes with one
 * line, `N passed, N failed[, N skipped]`, taken from tap's own closing count. Exits with tap's code; a run in which nothing ran
 * has failed.
 *
 * Arguments go to tap; a path of a source test (`test/log/log.test.ts`, `test/log`) may be given instead of the compiled one.
 * tap's own reporters redraw the screen (a CI log becomes noise) or print every assertion; hence the small condenser here.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { TapReport } from './tap-report.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const compiled = (argument: string): string =>
  argument.startsWith('test/') ? `build/${argument.replace(/\.ts$/, '.js')}` : argument

const tap = spawn(
  `${root}/node_modules/.bin/tap`,
  ['run', '--reporter=tap', ...process.argv.slice(2).map(compiled)],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    // Processes are started from the bundle: what users get is what is tested.
    env: { LOGRAFT_EXECUTABLE: `${root}build/bundle/cli/lograft.js`, ...process.env },
  },
)
const report = new TapReport((line) => process.stdout.write(`${line}\n`))
const exited = new Promise<number>((resolve) => tap.on('close', (code) => resolve(code ?? 1)))
for await (const line of createInterface({ input: tap.stdout })) report.line(line)

const code = await exited
const counts = report.counts
if (code !== 0 && counts.failed === 0 && counts.passed > 0) counts.failed = 1 // tap itself broke off: never a line that looks green
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`)
process.exitCode = code === 0 && counts.passed + counts.skipped === 0 ? 1 : code
