/** The six directed links between three members, and every way to cut some of them (R-06). */
export type Link = readonly [from: number, to: number]

export const links: readonly Link[] = [
  [1, 2],
  [2, 1],
  [1, 3],
  [3, 1],
  [2, 3],
  [3, 2],
]

/** All 64 subsets. */
export function linkSubsets(): Link[][] {
  return Array.from({ length: 64 }, (_, bits) => links.filter((_, index) => (bits >> index) % 2 === 1))
}

/** Whether a member hears and is heard by another: then, with itself, it has a majority. */
export function hasCentre(cut: readonly Link[]): boolean {
  const isOpen = (from: number, to: number): boolean =>
    !cut.some((link) => link[0] === from && link[1] === to)
  return links.some(([from, to]) => isOpen(from, to) && isOpen(to, from))
}

export function describeLinks(cut: readonly Link[]): string {
  return cut.length === 0 ? 'nothing cut' : `cut ${cut.map(([from, to]) => `${from}->${to}`).join(' ')}`
}
