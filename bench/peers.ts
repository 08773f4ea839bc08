import { argumentsOf } from './arguments.ts'
import { consuming } from './peers/consuming.ts'
import { kafkaJars } from './peers/jars.ts'
import { startKafka } from './peers/kafka.ts'
import { latency } from './peers/latency.ts'
import { besideNats } from './peers/nats.ts'
import { natsExecutable } from './peers/nats-server.ts'
import { startLograft } from './peers/peer.ts'
import { producing, replicating } from './peers/producing.ts'
import { startup } from './peers/startup.ts'
import { report, type Suite } from './report.ts'

const usage = `
lograft beside Apache Kafka and NATS JetStream on this machine: the same load, the same durability, in one run, in turns. Prints
tables with their ratios and keeps bench/results/peers.json.

    npm run bench:peers -- --kafka FOLDER             FOLDER/libs holds Kafka's jars, or gets them by Maven; or KAFKA_HOME
    npm run bench:peers -- --nats FOLDER              FOLDER holds nats-server, or gets it built by Go
    npm run bench:peers -- --kafka FOLDER --quick
    npm run bench:peers -- --kafka FOLDER --nats FOLDER --only produce,nats

Where Java or Go is missing it says so and leaves out what needs it.
`

const values = argumentsOf(usage, {
  kafka: { type: 'string' },
  nats: { type: 'string' },
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
})
const kafka = values.kafka ?? (values.nats === undefined ? process.env.KAFKA_HOME : undefined)
if (kafka === undefined && values.nats === undefined)
  throw new Error('say where a peer lies or may be put: --kafka FOLDER, or KAFKA_HOME; --nats FOLDER')
process.env.LOGRAFT_LOG_LEVEL ??= 'warn'
const suites = { ...(await besideKafka(kafka)), ...(await besideJetStream(values.nats)) }
if (Object.keys(suites).length > 0) await report('peers.json', suites, values)

async function besideKafka(folder: string | undefined): Promise<Record<string, Suite>> {
  if (folder === undefined) return {}
  const found = await kafkaJars(folder)
  if ('missing' in found) {
    process.stdout.write(`${found.missing}\n`)
    return {}
  }
  const peers = {
    lograft: startLograft,
    kafka: (brokers: number) => startKafka(found.classPath, brokers),
  }
  return {
    startup: startup(peers),
    produce: producing(peers),
    consume: consuming(peers),
    latency: latency(peers),
    three: replicating(peers),
  }
}

async function besideJetStream(folder: string | undefined): Promise<Record<string, Suite>> {
  if (folder === undefined) return {}
  const found = await natsExecutable(folder)
  if ('executable' in found) return { nats: besideNats(found.executable) }
  process.stderr.write(`${found.missing}\n`)
  return {}
}
