/** The page and the pictures, from what bench/results holds. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { draw } from './draw.ts'
import { pageOf } from './page.ts'
import { chaptersOf } from './results.ts'
import { standingAlone } from './svg.ts'

/** Writes report.html, and an SVG file for each plot, beside the results. */
export function writeReport(folder: string): void {
  const chapters = chaptersOf(folder)
  for (const plot of chapters.flatMap(({ sections }) => sections.flatMap(({ plots }) => plots)))
    writeFileSync(join(folder, `${plot.name}.svg`), standingAlone(draw(plot)))
  writeFileSync(join(folder, 'report.html'), pageOf(chapters))
}
