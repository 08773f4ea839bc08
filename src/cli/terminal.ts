/**
 * The process's streams and signals, for all commands: results go to stdout, everything else to stderr.
 */

/** Aborted by SIGINT or SIGTERM, and when nobody reads stdout any more. A second signal ends the process at once. */
export function interruption(): AbortSignal {
  if (interrupter === null) {
    const controller = new AbortController()
    interrupter = controller
    const interrupt = (): void => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    }
    process.on('SIGINT', interrupt)
    process.on('SIGTERM', interrupt)
    watchStdout()
  }
  return interrupter.signal
}

let interrupter: AbortController | null = null
let isStdoutGone = false
let isWatching = false

/** `lograft consume ... | head` closes the pipe: that is an end like any other, not an error. */
function watchStdout(): void {
  if (isWatching) return
  isWatching = true
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    isStdoutGone = true
    interrupter?.abort()
  })
}

/** Writes to stdout; waits when its reader is slow. */
export async function print(text: string | Buffer): Promise<void> {
  watchStdout()
  if (isStdoutGone || text.length === 0 || process.stdout.write(text)) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      process.stdout.off('drain', done)
      process.stdout.off('close', done)
      resolve()
    }
    process.stdout.on('drain', done)
    process.stdout.on('close', done)
  })
}

/** One JSON value on a line of its own. */
export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value)}\n`)
}

/** A sentence for the person. */
export function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`)
}

/** A person is watching stderr: progress and closing remarks are welcome. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true
}

/** Rows in columns without rules, as tools that are piped into others print them. */
export async function printTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): Promise<void> {
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: [...head],
    chars: plain,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
  })
  for (const row of rows) table.push(row.map(String))
  const lines = table.toString().split('\n')
  await print(`${lines.map((line) => line.trimEnd()).join('\n')}\n`)
}

const plain = Object.fromEntries(
  [
    'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right',
    'left left-mid mid mid-mid right right-mid middle',
  ]
    .join(' ')
    .split(' ')
    .map((name) => [name, '']),
)

export interface Progress {
  update(done: number): void
  stop(): void
}

/** A bar on stderr for long work, when somebody watches. `total` 0: the amount is not known, no bar. */
export async function progress(what: string, total: number): Promise<Progress> {
  if (!isWatched() || total <= 0) return { update: () => {}, stop: () => {} }
  const { default: bars } = await import('cli-progress')
  const bar = new bars.SingleBar(
    {
      format: `${what} {bar} {percentage} % | {value}/{total} | {eta_formatted} left`,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    bars.Presets.shades_classic,
  )
  bar.start(total, 0)
  return { update: (done) => bar.update(done), stop: () => bar.stop() }
}
