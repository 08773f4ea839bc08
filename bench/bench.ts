import { argumentsOf } from './arguments.ts'
import { report } from './report.ts'
import { acks } from './suites/acks.ts'
import { codecs } from './suites/codecs.ts'
import { cold } from './suites/cold.ts'
import { consuming } from './suites/consuming.ts'
import { fanout } from './suites/fanout.ts'
import { flat } from './suites/flat.ts'
import { latency } from './suites/latency.ts'
import { limits } from './suites/limits.ts'
import { linkedin } from './suites/linkedin.ts'
import { fairness, stalls } from './suites/manners.ts'
import { openmessaging } from './suites/openmessaging.ts'
import { producing } from './suites/producing.ts'
import { recovery } from './suites/recovery.ts'
import { startup } from './suites/startup.ts'

const usage = `
The benchmark of one broker: start-up, memory, throughput, latency; and beside what the machine gives a bare program. Prints tables
and keeps bench/results/latest.json.

    npm run bench                 everything (some minutes)
    npm run bench -- --quick      smaller amounts, to see that it runs
    npm run bench -- --only produce,consume

Read the figures as ratios within one run: a shared machine is as fast as its neighbours let it be. CPU seconds per GB are
steadier than MB/s.
`

const suites = {
  startup,
  produce: producing,
  linkedin,
  openmessaging,
  acks,
  codecs,
  consume: consuming,
  cold,
  fanout,
  latency,
  recovery,
  flat,
  limits,
  stalls,
  fairness,
}

const values = argumentsOf(usage, { quick: { type: 'boolean', default: false }, only: { type: 'string' } })
// Thousands of partitions have much to say, and that is not what is measured.
process.env.LOGRAFT_LOG_LEVEL ??= 'warn'
await report('latest.json', suites, values)
