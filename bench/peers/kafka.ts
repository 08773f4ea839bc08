/** Apache Kafka in KRaft mode on this machine, one node or several, each broker and controller at once. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from '../ports.ts'
import { endProcess, startProcess } from '../process.ts'
import type { Peer } from './peer.ts'

/** What its own start script gives a broker. */
const jvm = [
  '-Xms1G',
  '-Xmx1G',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
]

const logging = `rootLogger.level = info
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %p %m%n
`

/** Everything that is not said here is as Kafka has it. */
function settings(
  id: number,
  ports: readonly (readonly [client: number, controller: number])[],
  data: string,
) {
  const replicas = ports.length
  const [client, controller] = ports[id - 1] ?? [0, 0]
  return {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': ports.map(([, port], i) => `${i + 1}@127.0.0.1:${port}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${client}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // What has been measured makes room at once.
    'log.segment.delete.delay.ms': 0,
  }
}

/** `readyMs` is from the start of the processes to the last that is ready; formatting the folders comes before. */
export async function startKafka(classPath: string, count: number): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-bench-kafka-'))
  const free = await freePorts(count * 2)
  const ports = Array.from({ length: count }, (_, i) => [free[2 * i] ?? 0, free[2 * i + 1] ?? 0] as const)
  writeFileSync(join(folder, 'log4j2.properties'), logging)
  const homes = ports.map((_, i) => join(folder, `${i + 1}`))
  for (const [i, home] of homes.entries()) {
    mkdirSync(home)
    const lines = Object.entries(settings(i + 1, ports, join(home, 'data'))).map(
      ([name, value]) => `${name}=${value}`,
    )
    writeFileSync(join(home, 'server.properties'), `${lines.join('\n')}\n`)
    const format = [
      'kafka.tools.StorageTool',
      'format',
      '-t',
      'bGlvbmVzc2xpb25lc3NsaQ',
      '-c',
      'server.properties',
    ]
    await promisify(execFile)('java', ['-cp', classPath, ...format], { cwd: home })
  }
  const logged = `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`
  const started = await Promise.all(
    homes.map((home) =>
      startProcess(
        'java',
        [...jvm, logged, '-cp', classPath, 'kafka.Kafka', 'server.properties'],
        (line) => line.includes('Kafka Server started'),
        home,
      ),
    ),
  )
  return {
    name: 'kafka',
    bootstrap: `127.0.0.1:${ports[0]?.[0]}`,
    pids: started.map(({ pid }) => pid),
    readyMs: Math.max(...started.map(({ readyMs }) => readyMs)),
    stop: async () => {
      // The last of several would wait minutes for a controller to let it go, and nothing that they hold is needed again.
      await Promise.all(started.map(({ child }) => endProcess(child, 'SIGKILL')))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
