/**
 * The command line, declared: names, flags, defaults, help. Each action loads its own file, so that no command pays for the
 * others; start-up time is a promise.
 */

import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { Faulted } from '../base/errors.ts'
import { exitCodes, Failure } from './failure.ts'
import * as values from './option-values.ts'
import { say } from './terminal.ts'

/** Runs one command line; returns the exit code. */
export async function run(words: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(words, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    if (error instanceof Failure) {
      say(`lograft: ${error.message}`)
      return error.exitCode
    }
    if (error instanceof Faulted) {
      say(`lograft: ${error.message}`)
      return exitCodes.failed
    }
    say(`lograft: internal error: ${error instanceof Error ? error.stack : String(error)}`)
    return exitCodes.failed
  }
}

function program(): Command {
  const root = new Command('lograft')
    .description('A Kafka-wire-compatible commit-log broker, and tools for any Kafka.')
    .version(version, '--version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'lograft: ')) })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong usage. Logs go to stderr, results to stdout.',
    )
  addStart(root)
  addTopic(root)
  addProduce(root)
  addConsume(root)
  addGroup(root)
  addCluster(root)
  addLog(root)
  return root
}

/** Read when it is asked for, by `--version` or `start`. */
function readVersion(): string {
  const { version: text } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  ) as { version: string }
  return text
}
const version = readVersion()

function addStart(root: Command): void {
  root
    .command('start')
    .description('Start a broker: Kafka on 127.0.0.1:9092, data in ./data.')
    .option('--config <FILE>', "settings in Kafka's server.properties format")
    .option(
      '--node-id <ID>',
      'this node in its cluster (default: 1)',
      values.wholeNumber('A node id', 0, 0x7fffffff),
    )
    .option('--data-dir <DIR>', 'where the data are (default: ./data)')
    .option('--host <HOST>', 'the address to listen on (default: 127.0.0.1)')
    .option('--port <PORT>', 'the port for Kafka clients, 0 for a free one (default: 9092)', values.port)
    .option(
      '--advertised <HOST:PORT>',
      'the address that clients are told (default: where it listens)',
      values.hostPort,
    )
    .option(
      '--peer-port <PORT>',
      'the port for other brokers, 0 for a free one (default with --voters: 9093)',
      values.port,
    )
    .option(
      '--voters <ID@HOST:PORT,...>',
      'the controllers that form the cluster, the same for every broker (default: this one)',
      values.voters,
    )
    .option('--http-port <PORT>', 'the port for HTTP (default: 8081)', values.port)
    .option('--no-http', 'no HTTP')
    .option('--set <NAME=VALUE>', 'a setting; may be repeated', values.nameValue)
    .option('--json', 'print one line of JSON when it is ready')
    .addHelpText(
      'after',
      `
A setting comes from its default, --config, the environment (LOGRAFT_LOG_SEGMENT_BYTES for log.segment.bytes) or --set; the
later wins. LOGRAFT_LOG_LEVEL (debug, info, warn, error) says how much is logged to stderr.
SIGTERM and SIGINT flush and stop it; a second one ends it at once.`,
    )
    .action(async (options) => (await import('./start.ts')).start(options, version))
}

/** Flags of every command that talks to brokers. */
function client(command: Command): Command {
  return command
    .option(
      '--bootstrap <HOST:PORT>',
      'a broker to begin with, or several',
      values.bootstrap,
      '127.0.0.1:9092',
    )
    .option('--json', 'print JSON, one value per line')
}

function addTopic(root: Command): void {
  const topic = root.command('topic').description('Create, list, describe, alter and delete topics.')
  const partitions = values.wholeNumber('The number of partitions', 1, 0x7fffffff)
  client(topic.command('create <NAME>'))
    .description('Create a topic.')
    .option('--partitions <N>', "the number of partitions (default: the cluster's)", partitions)
    .option(
      '--replication-factor <N>',
      "replicas of each (default: the cluster's)",
      values.wholeNumber('It', 1, 32767),
    )
    .option('--config <NAME=VALUE>', 'a setting of the topic; may be repeated', values.nameValue)
    .option('--if-not-exists', 'be content when it is there already')
    .action(async (name, options) => (await import('./topic.ts')).createTopic(name, options))
  client(topic.command('list'))
    .description('List the topics.')
    .option('--internal', 'and the internal ones')
    .action(async (options) => (await import('./topic.ts')).listTopics(options))
  client(topic.command('describe [NAME...]'))
    .description('Show partitions, leaders, offsets and settings of topics; of all when none is named.')
    .action(async (names, options) => (await import('./topic.ts')).describeTopics(names, options))
  client(topic.command('alter <NAME>'))
    .description('Add partitions, change settings.')
    .option('--partitions <N>', 'the new total', partitions)
    .option('--config <NAME=VALUE>', 'set a setting; may be repeated', values.nameValue)
    .option('--delete-config <NAME>', 'take a setting back to its default; may be repeated', values.several)
    .action(async (name, options) => (await import('./topic.ts')).alterTopic(name, options))
  client(topic.command('delete <NAME...>'))
    .description('Delete topics and their records.')
    .action(async (names, options) => (await import('./topic.ts')).deleteTopics(names, options))
}

function addProduce(root: Command): void {
  client(root.command('produce <TOPIC>'))
    .description('Send lines of stdin or of a file, one record each.')
    .option('--key-separator <TEXT>', 'what is before it in a line is the key (default: no keys)')
    .option('--file <FILE>', 'read this file (default: stdin)')
    .addOption(
      new Option('--compression <CODEC>', 'compress batches')
        .choices(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
        .default('none'),
    )
    .addOption(
      new Option('--acks <ACKS>', 'who must have a record: nobody, the leader, a majority')
        .choices(['0', '1', 'all'])
        .default('all'),
    )
    .option(
      '--partition <N>',
      'send everything there (default: by key, or in turn)',
      values.wholeNumber('A partition', 0),
    )
    .option('--header <NAME=VALUE>', 'a header of every record; may be repeated', values.nameValue)
    .action(async (topic, options) => (await import('./produce.ts')).produce(topic, options))
}

function addConsume(root: Command): void {
  client(root.command('consume <TOPIC>'))
    .description('Print records.')
    .addOption(
      new Option('--from <PLACE>', 'beginning, end, an OFFSET, or a TIMESTAMP (ISO date, or @ms since 1970)')
        .argParser(values.place)
        .default('beginning'),
    )
    .option(
      '--group <GROUP>',
      'as a member of this group, committing; --from counts where it has committed nothing',
    )
    .option('--partition <N>', 'only this partition', values.wholeNumber('A partition', 0))
    .option('--count <N>', 'stop after so many records', values.wholeNumber('The count', 1))
    .option('--format <FORMAT>', 'how a record is printed, see below (default: %v\\n)')
    .option('--exit-at-end', 'stop at the end that every partition had at the start')
    .addHelpText(
      'after',
      `
FORMAT, as in kcat:
  %v %s  value          %k  key           %h  headers, a=1,b=2
  %S     value's bytes  %K  key's bytes   (-1 when there is none)
  %t     topic          %p  partition     %o  offset          %T  timestamp, ms since 1970
  %%     a percent sign, and \\n \\r \\t \\0 \\\\ \\xHH`,
    )
    .action(async (topic, options) => (await import('./consume.ts')).consume(topic, options))
}

function addGroup(root: Command): void {
  const group = root.command('group').description('List, describe, reset and delete consumer groups.')
  client(group.command('list'))
    .description('List the groups.')
    .action(async (options) => (await import('./group.ts')).listGroups(options))
  client(group.command('describe <GROUP>'))
    .description('Show members, offsets and lag.')
    .action(async (name, options) => (await import('./group.ts')).describeGroup(name, options))
  client(group.command('reset-offsets <GROUP>'))
    .description('Move what a group without members has committed.')
    .addOption(
      new Option('--to <PLACE>', 'beginning, end, an OFFSET, or a TIMESTAMP (ISO date, or @ms since 1970)')
        .argParser(values.place)
        .makeOptionMandatory(),
    )
    .option(
      '--topic <NAME>',
      'all partitions of this topic; may be repeated (default: all that it has committed)',
      values.several,
    )
    .option('--dry-run', 'show what would be done, and do nothing')
    .action(async (name, options) => (await import('./group.ts')).resetOffsets(name, options))
  client(group.command('delete <GROUP...>'))
    .description('Delete groups without members, with what they have committed.')
    .action(async (names, options) => (await import('./group.ts')).deleteGroups(names, options))
}

function addCluster(root: Command): void {
  const cluster = root.command('cluster').description('Look at the cluster, and move what is in it.')
  const id = values.wholeNumber('A broker id', 0, 0x7fffffff)
  const partition = values.wholeNumber('A partition', 0, 0x7fffffff)
  client(cluster.command('status'))
    .description('Show brokers, the controllers, who leads, and what needs attention.')
    .action(async (options) => (await import('./cluster.ts')).clusterStatus(options))
  client(cluster.command('reassign'))
    .description('Move partitions to other brokers.')
    .option('--topic <NAME>', 'partitions of this topic')
    .option('--partition <N>', 'only this one', partition)
    .option('--replicas <ID,...>', 'the brokers that shall hold it, the preferred leader first', values.ids)
    .option('--file <FILE>', "several moves, in the JSON of Kafka's kafka-reassign-partitions")
    .option('--list', 'show the moves that are under way')
    .option('--cancel', 'take moves back, those named by --topic or --file, or all')
    .option('--wait', 'end when the partitions have arrived')
    .addHelpText(
      'after',
      `
With --topic and without --partition all its partitions go to the same brokers, and these become their preferred leaders in turn.
A move copies the partition to the new brokers before it leaves the old ones; clients go on meanwhile. Without --wait the command
ends when the moves have begun; an interrupted --wait does not stop them.`,
    )
    .action(async (options) => (await import('./cluster-reassign.ts')).reassign(options))
  client(cluster.command('transfer-leadership'))
    .description('Let another replica lead a partition, or all partitions of a broker.')
    .argument('[TOPIC]')
    .argument('[PARTITION]', '', partition)
    .option('--to <ID>', 'the broker that shall lead', id)
    .option('--from <ID>', 'all that this broker leads goes to --to, or to the replicas that lead least', id)
    .addHelpText(
      'after',
      `
The new leader must hold the partition and be in sync. It becomes the preferred leader, too: otherwise the cluster would soon hand
the leadership back.`,
    )
    .action(async (topic, index, options) =>
      (await import('./cluster-leaders.ts')).transferLeadership(topic, index, options),
    )
  client(cluster.command('decommission'))
    .description('Move everything off a broker, then take it out of the cluster for good.')
    .argument('<ID>', '', id)
    .option(
      '--wave <N>',
      'partitions that move at the same time (default: 20)',
      values.wholeNumber('It', 1, 10_000),
    )
    .addHelpText(
      'after',
      `
Every replica goes to a broker with few of them, in another rack than the other replicas where that can be. It is refused before
anything moves when the other brokers are too few. The broker may be up or down; say it again after an interruption. A lograft
cluster never takes its id again.`,
    )
    .action(async (nodeId, options) =>
      (await import('./cluster-decommission.ts')).decommission(nodeId, options),
    )
}

function addLog(root: Command): void {
  const log = root.command('log').description('Read segments offline.')
  log
    .command('dump <PATH>')
    .description('Print the batches of a segment, or of all segments in a folder.')
    .option('--records', 'and their records')
    .option('--json', 'print JSON, one value per line')
    .action(async (path, options) => (await import('./log.ts')).dumpLog(path, options))
  log
    .command('verify <PATH>')
    .description('Check every batch of a segment, or of all segments in a folder.')
    .option('--json', 'print JSON, one value per line')
    .action(async (path, options) => (await import('./log.ts')).verifyLog(path, options))
}
