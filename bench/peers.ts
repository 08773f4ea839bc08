/**
 * lograft beside Apache Kafka on this machine: the same load, the same durability, in one run, in turns. Prints tables with their ratios
 * and keeps bench/results/peers.json.
 *
 *     npm run bench:peers -- --kafka FOLDER             FOLDER/libs holds Kafka's jars, or gets them by Maven; or KAFKA_HOME
 *     npm run bench:peers -- --kafka FOLDER --quick
 *     npm run bench:peers -- --kafka FOLDER --only produce,consume
 *
 * Without Java it says so and measures nothing.
 */
import { parseArgs } from 'node:util'
import { consuming } from './peers/consuming.ts'
import { kafkaJars } from './peers/jars.ts'
import { startKafka } from './peers/kafka.ts'
import { latency } from './peers/latency.ts'
import { startLograft } from './peers/peer.ts'
import { producing, replicating } from './peers/producing.ts'
import { startup } from './peers/startup.ts'
import { report } from './report.ts'

const { values } = parseArgs({
  options: {
    kafka: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const folder = values.kafka ?? process.env.KAFKA_HOME
if (folder === undefined) throw new Error('say where Kafka lies or may be put: --kafka FOLDER, or KAFKA_HOME')
const found = await kafkaJars(folder)
if ('missing' in found) process.stdout.write(`${found.missing}\n`)
else {
  const peers = {
    lograft: startLograft,
    kafka: (brokers: number) => startKafka(found.classPath, brokers),
  }
  process.env.LOGRAFT_LOG_LEVEL ??= 'warn'
  const suites = {
    startup: startup(peers),
    produce: producing(peers),
    consume: consuming(peers),
    latency: latency(peers),
    three: replicating(peers),
  }
  await report('peers.json', suites, values)
}
