/** Counts of one run, as tap's closing line gives them (assertions, not files). */
export interface Counts {
  passed: number
  failed: number
  skipped: number
}

const RESULT = /^( *)(not )?ok \d+(?: - (.*))?$/
const CLOSING = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?(?:, skip: (\d+))?/

/**
 * Condenses a TAP 14 stream, line by line: one line per test file and per subtest of the first level with its time, every
 * skip with its reason, every failed assertion with its diagnostics, and whatever is not TAP as it stands.
 */
export class TapReport {
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  readonly #print: (line: string) => void
  /** First-level results wait for the verdict on their file, which TAP gives last and a reader wants first. */
  #held: string[] = []
  #diagnostics: 'none' | 'shown' | 'dropped' = 'none'
  #showNext = false

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  line(line: string): void {
    if (this.#inDiagnostics(line)) return
    const closing = CLOSING.exec(line)
    if (closing) {
      this.counts.passed = Number(closing[1] ?? 0)
      this.counts.failed = Number(closing[2] ?? 0)
      this.counts.skipped = Number(closing[3] ?? 0)
      return
    }
    const result = RESULT.exec(line)
    if (result) this.#result(result[1] ?? '', result[2] !== undefined, result[3] ?? '')
    else if (!/^\s*(#.*|\d+\.\.\d+.*|TAP version.*|pragma .*|\}|)$/.test(line)) this.#held.push(line)
    else if (/^ +# (?!Subtest:|time=|\{)/.test(line)) this.#held.push(line) // a test's own comment
  }

  #result(indent: string, failed: boolean, text: string): void {
    const [, name = text, directive = ''] = /^(.*?)(?: # (.*?))?(?: \{)?$/.exec(text) ?? []
    const level = indent.length / 4
    const group = directive.startsWith('time=')
    const skipped = /^skip/i.test(directive)
    const mark = failed ? 'not ok' : skipped ? 'skip  ' : 'ok    '
    const note = group ? ` (${directive.slice(5)})` : directive === '' ? '' : ` # ${directive}`
    if (failed || skipped || level <= 1)
      this.#held.push(`${indent}${mark} ${name.replaceAll('\\', '')}${note}`)
    this.#showNext = failed && (!group || level === 0)
    if (level > 0) return
    const verdict = this.#held.pop()
    if (verdict !== undefined) this.#print(verdict)
    for (const held of this.#held) this.#print(held)
    this.#held = []
  }

  /** The YAML block under a result: shown for a failed assertion and a failed file, else dropped. */
  #inDiagnostics(line: string): boolean {
    if (this.#diagnostics === 'none') {
      if (!/^ +---$/.test(line)) return false
      this.#diagnostics = this.#showNext ? 'shown' : 'dropped'
      return true
    }
    if (/^ +\.\.\.$/.test(line)) this.#diagnostics = 'none'
    else if (this.#diagnostics === 'shown') {
      if (/^ {2}\S/.test(line) || /^ {4}- (--|.*\.test\.js$)/.test(line)) this.#aboutFile(line)
      else this.#held.push(line)
    }
    return true
  }

  /** A file's own diagnostics follow its verdict, already printed; only how it ended is news. */
  #aboutFile(line: string): void {
    if (!/^ +(- |(stdio|cwd|externalID|command|args|jobId):)/.test(line)) this.#print(line)
  }
}
