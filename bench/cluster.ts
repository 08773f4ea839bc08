import { argumentsOf } from './arguments.ts'
import { idle } from './cluster/idle.ts'
import { latency } from './cluster/latency.ts'
import { replication } from './cluster/replication.ts'
import { report } from './report.ts'

const usage = `
The benchmark of three brokers that form a cluster, beside one broker: throughput, latency, CPU; and what idle partitions cost. Prints
tables and keeps bench/results/cluster.json.

    npm run bench:cluster                       everything (a quarter of an hour)
    npm run bench:cluster -- --quick
    npm run bench:cluster -- --only idle
`

const values = argumentsOf(usage, { quick: { type: 'boolean', default: false }, only: { type: 'string' } })
// Thousands of partitions have much to say, and that is not what is measured.
process.env.LOGRAFT_LOG_LEVEL ??= 'warn'
await report('cluster.json', { replication, latency, idle }, values)
