import t from 'tap'
import { TapReport } from './tap-report.ts'

const condensed = (tap: string): { lines: string[]; report: TapReport } => {
  const lines: string[] = []
  const report = new TapReport((line) => lines.push(line))
  for (const line of tap.split('\n')) report.line(line)
  return { lines, report }
}

const RUN = `TAP version 14
1..2
# Subtest: build/test/a.test.js
    # Subtest: adds
        ok 1 - should be equal
        not ok 2 - the sum
          ---
          diff: |
            -3
            +4
          ...
        
        1..2
    not ok 1 - adds # time=18ms
      ---
      at:
        fileName: a.test.js
      ...
    
    ok 2 - with kcat # SKIP kcat is not installed
    1..2
not ok 1 - build/test/a.test.js # time=80ms
  ---
  command: /usr/bin/node
  args:
    - --enable-source-maps
  exitCode: 1
  ...

# Subtest: build/test/b.test.js
    # Subtest: subtracts
        ok 1 - should be equal
        1..1
    ok 1 - subtracts # time=2ms
    1..1
ok 2 - build/test/b.test.js # time=9ms

# { total: 4, pass: 2, fail: 1, skip: 1 }
# time=2028ms`

t.test('the report of a run shows verdicts, skips with their reasons, and what failed', async (t) => {
  const { lines, report } = condensed(RUN)
  t.same(report.counts, { passed: 2, failed: 1, skipped: 1 })
  t.same(lines, [
    'not ok build/test/a.test.js (80ms)',
    '        not ok the sum',
    '          diff: |',
    '            -3',
    '            +4',
    '    not ok adds (18ms)',
    '    skip   with kcat # SKIP kcat is not installed',
    '  exitCode: 1',
    'ok     build/test/b.test.js (9ms)',
    '    ok     subtracts (2ms)',
  ])
})

t.test('a stream that never closes counts nothing', async (t) => {
  t.same(condensed('TAP version 14\nok 1 - a # time=1ms').report.counts, { passed: 0, failed: 0, skipped: 0 })
})
