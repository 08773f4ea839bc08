/**
 * What the README says of the code, held against the code. `LOGRAFT_WRITE_README=1` writes it anew: `npm run docs`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { handlers } from '../src/handlers/table.ts'
import { apiByKey } from '../src/protocol/apis.ts'
import { compatibilityTable } from '../src/protocol/compatibility.ts'

const path = fileURLToPath(new URL('../../README.md', import.meta.url))
const begin = /<!-- compatibility:[^>]*-->\n/
const end = '<!-- /compatibility -->'

t.test('the compatibility table is what the broker serves', async (t) => {
  const served = handlers.map(({ api }) => api).sort((a, b) => a.key - b.key)
  t.strictSame(
    served.map(({ key }) => key),
    [...apiByKey.keys()].sort((a, b) => a - b),
    'every API that is defined has one handler',
  )
  const readme = readFileSync(path, 'utf8')
  const marker = begin.exec(readme)
  if (marker === null) throw new Error('the README has a place for the table')
  const from = marker.index + marker[0].length
  const wanted = `${readme.slice(0, from)}${compatibilityTable(served)}${readme.slice(readme.indexOf(end))}`
  if (process.env.LOGRAFT_WRITE_README === '1') writeFileSync(path, wanted)
  t.equal(readFileSync(path, 'utf8'), wanted, 'say `npm run docs` to write it anew')
})
