/** A plan of moves in the JSON of Kafka's own tools: `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2]}]}`. */

import { readFile } from 'node:fs/promises'
import type { Reassignment } from '../../client/admin-reassignments.ts'
import { nameOf } from '../../client/partition.ts'
import { messageOf } from '../base/errors.ts'
import { WrongUsage } from './failure.ts'

/** @throws WrongUsage naming what is wrong in the file */
export async function readReassignments(path: string): Promise<Reassignment[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new WrongUsage(`--file: ${path} cannot be read: ${messageOf(error)}`)
  }
  return parseReassignments(text, `--file: ${path}`)
}

/** `where` begins the sentences of errors. */
export function parseReassignments(text: string, where: string): Reassignment[] {
  let plan: unknown
  try {
    plan = JSON.parse(text)
  } catch (error) {
    throw new WrongUsage(`${where} is no JSON: ${messageOf(error)}`)
  }
  const rows = isObject(plan) ? plan.partitions : undefined
  if (!isObject(plan) || (plan.version !== undefined && plan.version !== 1) || !Array.isArray(rows)) {
    throw new WrongUsage(`${where} must be {"version":1,"partitions":[...]}`)
  }
  const moves = rows.map((row: unknown, at) => moveOf(row, `${where}: partitions[${at}]`))
  const seen = new Set<string>()
  for (const move of moves) {
    if (seen.has(nameOf(move))) throw new WrongUsage(`${where} names partition ${nameOf(move)} twice`)
    seen.add(nameOf(move))
  }
  return moves
}

function moveOf(row: unknown, where: string): Reassignment {
  const wanted = 'needs "topic", "partition" and "replicas"'
  if (!isObject(row)) throw new WrongUsage(`${where} ${wanted}`)
  const { topic, partition, replicas, log_dirs: folders } = row
  if (typeof topic !== 'string' || !isId(partition)) throw new WrongUsage(`${where} ${wanted}`)
  if (!Array.isArray(replicas) || replicas.length === 0 || !replicas.every(isId)) {
    throw new WrongUsage(`${where}: "replicas" must be a list of broker ids, the preferred leader first`)
  }
  if (new Set(replicas).size < replicas.length)
    throw new WrongUsage(`${where}: "replicas" has a broker twice`)
  if (Array.isArray(folders) && folders.some((folder) => folder !== 'any')) {
    throw new WrongUsage(`${where}: "log_dirs" other than "any" are not supported`)
  }
  return { topic, partition, replicas }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0
}
