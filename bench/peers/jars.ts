/** Where Apache Kafka lies, and how it gets there: its jars by their coordinates, with Maven as it is set up here. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const kafkaVersion = '4.3.1'

const dependencies = [
  ['org.apache.kafka', 'kafka_2.13', kafkaVersion],
  ['org.apache.kafka', 'kafka-tools', kafkaVersion],
  ['org.apache.logging.log4j', 'log4j-core', '2.25.1'],
  // Without it Kafka says nothing, not even that it is ready.
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.1'],
]

/** The class path of Kafka below `folder`, fetched when it is not there yet; or why there is none. */
export async function kafkaJars(folder: string): Promise<{ classPath: string } | { missing: string }> {
  if (!(await runs('java', '-version'))) return { missing: 'Java is not here: nothing to measure beside' }
  const libs = resolve(folder, 'libs')
  if (!existsSync(libs) || !readdirSync(libs).some((name) => name.startsWith('kafka_'))) {
    if (!(await runs('mvn', '-version')))
      return { missing: `${libs} holds no Kafka, and Maven, which would fetch it, is not here` }
    process.stderr.write(`fetching Apache Kafka ${kafkaVersion} into ${libs}\n`)
    mkdirSync(libs, { recursive: true })
    writeFileSync(resolve(folder, 'pom.xml'), pom())
    const copy = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${libs}`]
    await run('mvn', copy, { cwd: resolve(folder) })
  }
  return { classPath: `${libs}/*` }
}

export async function runs(command: string, argument: string): Promise<boolean> {
  return await run(command, [argument]).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

function pom(): string {
  const wanted = dependencies.map(
    ([group, artifact, version]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  )
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>peers</artifactId><version>1</version>
<dependencies>${wanted.join('\n')}</dependencies></project>
`
}
