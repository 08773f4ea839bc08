/**
 * What `start` was asked for: flags, environment and settings file in one. Names of Kafka's that are flags here (`node.id`,
 * `log.dirs`, `listeners`, `advertised.listeners`, `controller.quorum.voters`) mean the same in the file and with --set.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf, Refused } from '../base/errors.ts'
import { fromEnvironment, parseProperties } from '../config/properties.ts'
import { Settings } from '../config/settings.ts'
import { table } from '../config/table.ts'
import { WrongUsage } from './failure.ts'
import { type HostPort, type Voter, voters as votersIn } from './option-values.ts'

export interface StartFlags {
  readonly config?: string
  readonly nodeId?: number
  readonly dataDir?: string
  readonly host?: string
  readonly port?: number
  readonly advertised?: HostPort
  readonly peerPort?: number
  readonly voters?: readonly Voter[]
  /** false with --no-http. */
  readonly http?: boolean
  readonly httpPort?: number
  readonly set?: Readonly<Record<string, string>>
  readonly json?: boolean
}

export interface BrokerOptions {
  readonly nodeId: number
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly advertised: HostPort | null
  readonly peerPort: number | null
  readonly voters: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly settings: Settings
}

/** Kafka's names for what are flags here. */
const placed = [
  'node.id',
  'broker.id',
  'log.dirs',
  'log.dir',
  'listeners',
  'advertised.listeners',
  'controller.quorum.voters',
] as const
type Placed = { [N in (typeof placed)[number]]?: string }

type Environment = { readonly [name: string]: string | undefined }

/** @throws WrongUsage with a sentence for every flag and setting that is wrong */
export function brokerOptions(flags: StartFlags, environment: Environment): BrokerOptions {
  const settings = new Settings()
  const places: Placed = {}
  const problems: string[] = []
  const apply = (
    name: string,
    text: string,
    source: 'file' | 'environment' | 'flag',
    where: string,
  ): void => {
    if ((placed as readonly string[]).includes(name)) {
      places[name as keyof Placed] = text.trim()
      return
    }
    try {
      settings.set(name, text, source)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      problems.push(`${where}: ${error.detail}`)
    }
  }
  if (flags.config !== undefined) {
    for (const [name, text] of readConfig(flags.config)) apply(name, text, 'file', flags.config)
  }
  for (const [name, text] of fromEnvironment(environment, [...Object.keys(table), ...placed])) {
    apply(name, text, 'environment', 'environment')
  }
  for (const [name, text] of Object.entries(flags.set ?? {})) apply(name, text, 'flag', '--set')
  const listen = listenerOf(places, 'listeners', problems)
  const host = flags.host ?? listen?.host ?? '127.0.0.1'
  const options: BrokerOptions = {
    nodeId: flags.nodeId ?? nodeIdOf(places, problems),
    dataDir: resolve(flags.dataDir ?? dataDirOf(places, problems)),
    host,
    port: flags.port ?? listen?.port ?? 9092,
    advertised: flags.advertised ?? listenerOf(places, 'advertised.listeners', problems),
    peerPort: flags.peerPort ?? null,
    voters: votersOf(flags, places, problems),
    settings,
  }
  if (problems.length > 0) throw new WrongUsage(problems.join('\n  '))
  return options
}

function readConfig(path: string): Map<string, string> {
  try {
    return parseProperties(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof Refused) throw new WrongUsage(`--config ${path}: ${error.detail}`)
    throw new WrongUsage(`--config: ${path} cannot be read: ${messageOf(error)}`)
  }
}

function nodeIdOf(places: Placed, problems: string[]): number {
  const text = places['node.id'] ?? places['broker.id'] ?? '1'
  if (!/^\d{1,9}$/.test(text)) problems.push(`setting 'node.id' wants a whole number, not '${text}'`)
  return Number(text)
}

function dataDirOf(places: Placed, problems: string[]): string {
  const text = places['log.dirs'] ?? places['log.dir'] ?? './data'
  if (text.includes(',')) problems.push(`setting 'log.dirs' wants one folder, not '${text}'`)
  return text
}

/** 'PLAINTEXT://host:port': one, in the clear. */
function listenerOf(
  places: Placed,
  name: 'listeners' | 'advertised.listeners',
  problems: string[],
): HostPort | null {
  const text = places[name]
  if (text === undefined) return null
  const match = /^PLAINTEXT:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:/,]*)):(\d{1,5})$/.exec(text)
  if (match === null || Number(match[3]) > 65535) {
    problems.push(`setting '${name}' wants one PLAINTEXT://HOST:PORT, not '${text}'`)
    return null
  }
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) }
}

function votersOf(flags: StartFlags, places: Placed, problems: string[]): BrokerOptions['voters'] {
  const text = places['controller.quorum.voters']
  const voters = flags.voters ?? (text === undefined ? [] : parsed(text, problems))
  const nowhere = voters.find(({ port }) => port === 0)
  if (nowhere !== undefined) {
    problems.push(`--voters: node ${nowhere.nodeId} needs a port that the others can know, not 0`)
  }
  return voters.map(({ nodeId, host, port }) => ({ id: nodeId, host, port }))
}

function parsed(text: string, problems: string[]): readonly Voter[] {
  try {
    return votersIn(text)
  } catch (error) {
    problems.push(
      `setting 'controller.quorum.voters' wants ID@HOST:PORT, separated by commas: ${messageOf(error)}`,
    )
    return []
  }
}
