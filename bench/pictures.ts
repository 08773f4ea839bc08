/**
 * The report of what was measured last: bench/results/report.html, and a picture for each plot. The benchmarks write it, too.
 *
 *     npm run bench:report
 */
import { writeReport } from './plots/write.ts'
import { resultsFolder } from './report.ts'

writeReport(resultsFolder)
process.stdout.write('written: bench/results/report.html\n')
