/** What the client promises, against any cluster. */
import type { Test } from 'tap'
import { administration } from './administration.ts'
import { ending } from './ending.ts'
import { groups } from './groups.ts'
import { records } from './records.ts'
import type { Stage } from './stage.ts'

export async function contract(t: Test, stage: Stage): Promise<void> {
  await t.test('records', (t) => records(t, stage))
  await t.test('groups', (t) => groups(t, stage))
  await t.test('administration', (t) => administration(t, stage))
  await t.test('ending', (t) => ending(t, stage))
  await stage.client.close()
}
