/** Loads the code under test with a few words of it changed: Node's hooks, which run in a thread of their own. */
import type { Edit } from './bug.ts'

interface Loaded {
  readonly source?: string | ArrayBuffer | Uint8Array
}

let edits: readonly Edit[] = []

export function initialize(given: readonly Edit[]): void {
  edits = given
}

export async function load<C>(
  url: string,
  context: C,
  nextLoad: (url: string, context: C) => Promise<Loaded>,
): Promise<Loaded> {
  const loaded = await nextLoad(url, context)
  const mine = edits.filter(({ file }) => url.endsWith(`/src/${file}`))
  if (mine.length === 0) return loaded
  let source = Buffer.from((loaded.source ?? '') as Uint8Array).toString()
  for (const { file, find, put } of mine) {
    // What was once planted must not silently be planted no more.
    if (source.split(find).length !== 2) throw new Error(`there is not exactly one '${find}' in ${file}`)
    source = source.replace(find, () => put)
  }
  return { ...loaded, source }
}
