/**
 * Plays every test/golden/raft-*.txt and compares what was said with what is written. LOGRAFT_RECORD=1 writes what was said
 * instead: read the difference before you keep it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { retell } from './conversation.ts'

const folder = new URL('../../../test/golden/', import.meta.url)

for (const name of readdirSync(folder).filter((file) => /^raft-.*\.txt$/.test(file))) {
  t.test(name, async (t) => {
    const file = new URL(name, folder)
    const written = readFileSync(file, 'utf8')
    const said = retell(written)
    if (process.env.LOGRAFT_RECORD === '1') writeFileSync(file, said)
    else t.equal(said, written)
  })
}
