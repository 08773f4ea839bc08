/**
 * What the nemesis does: one fault after the other, each of which hurts a minority, so that the cluster must go on; but for `kill-all`,
 * after which it must come back. A fault ends with everything whole again.
 */
import { spawnSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NemesisCluster } from './cluster.ts'
import { damage, emptyDisk, failSyncs, fillDisk } from './disk-faults.ts'
import type { Leaders } from './leaders.ts'
import type { BrokerNode } from './node.ts'
import { isInRoom, whyNoRoom } from './room.ts'
import { pick, sleep, until } from './stage.ts'

export interface Scene {
  readonly cluster: NemesisCluster
  readonly leaders: Leaders
  /** Of the topic that is written. */
  readonly topicId: string
  /** How long a fault lasts. */
  readonly lastsMs: number
  say(what: string): void
  /** A leader is about to be lost at once, or is: who waits for the next acknowledgement looks at the clock. */
  lost(node: number): void
}

export type Fault = (scene: Scene) => Promise<void>

export const faults: Readonly<Record<string, Fault>> = {
  kill: async (scene) => await killed(scene, anybody(scene)),
  'kill-leader': async (scene) => await killed(scene, leaderOf(scene)),
  'kill-controller': async (scene) => await killed(scene, controllerOf(scene)),
  'kill-all': async (scene) => {
    scene.say('kill -9 of all')
    await Promise.all(scene.cluster.nodes.map((node) => node.kill()))
    await Promise.all(scene.cluster.nodes.map((node) => node.start()))
  },
  term: async (scene) => await terminated(scene, anybody(scene)),
  pause: async (scene) => await paused(scene, anybody(scene)),
  'pause-leader': async (scene) => await paused(scene, leaderOf(scene)),
  isolate: async (scene) => {
    const node = leaderOf(scene)
    const others = othersOf(scene, node)
    const links = others.flatMap((other) => [`${node.id} ${other.id}`, `${other.id} ${node.id}`])
    await cut(scene, links)
  },
  cut: async (scene) => {
    const node = leaderOf(scene)
    const other = pick(othersOf(scene, node))
    await cut(
      scene,
      pick([
        [`${node.id} ${other.id}`],
        [`${other.id} ${node.id}`],
        [`${node.id} ${other.id}`, `${other.id} ${node.id}`],
      ]),
    )
  },
  deaf: async (scene) => {
    const node = leaderOf(scene)
    await cut(
      scene,
      othersOf(scene, node).map((other) => `${other.id} ${node.id}`),
    )
  },
  mute: async (scene) => {
    const node = leaderOf(scene)
    await cut(
      scene,
      othersOf(scene, node).map((other) => `${node.id} ${other.id}`),
    )
  },
  fsync: async (scene) => {
    const node = leaderOf(scene)
    scene.say(`syncs of broker ${node.id} fail`)
    const failing = await failSyncs(node.pid)
    await sleep(scene.lastsMs)
    await failing.end()
    await restarted(scene, node)
  },
  'disk-full': async ({ cluster, leaders, say, lastsMs }) => {
    const { smallDisk } = cluster
    if (smallDisk === null) throw new Error('no broker has a small disk')
    say(`the disk of broker ${smallDisk.node} is full`)
    fillDisk(smallDisk.path)
    await sleep(lastsMs)
    emptyDisk(smallDisk.path)
    const begun = performance.now()
    await until(
      'replicas catch up when there is room again',
      wholeWithinMs,
      async () => (await leaders.look()).isWhole,
    )
    say(`there is room: all replicas kept up after ${Math.round(performance.now() - begun)} ms`)
  },
  wipe: async (scene) => {
    const node = anybody(scene)
    const other = pick(othersOf(scene, node))
    scene.say(`brokers ${node.id} and ${other.id} are killed, and ${node.id} comes back with an empty disk`)
    await Promise.all([node.kill(), other.kill()])
    const kept = `${node.dataDir}.kept`
    renameSync(node.dataDir, kept)
    const refused = node.start(scene.lastsMs + refusedWithinMs).then(
      () => 'ready',
      (error: unknown) => String(error),
    )
    await sleep(scene.lastsMs)
    await other.start()
    const outcome = await refused
    if (outcome === 'ready')
      throw new Error(`broker ${node.id} was taken with an empty disk under its old id`)
    const said = node.events.slice(-3).map(({ event, msg }) => `${event}: ${msg}`)
    scene.say(`it was not taken: ${[...said, node.text.trim()].join('; ')}`)
    rmSync(node.dataDir, { recursive: true, force: true })
    renameSync(kept, node.dataDir)
    await node.start()
  },
  damage: async (scene) => {
    const node = anybody(scene)
    scene.say(`kill -9 of broker ${node.id}`)
    scene.lost(node.id)
    await node.kill()
    const done = damage(join(node.dataDir, 'partitions'), scene.topicId, pick(['flip', 'truncate']))
    scene.say(done ?? 'there was nothing to damage')
    await sleep(scene.lastsMs)
    await node.start()
  },
}

/** Without a restart. */
const wholeWithinMs = 30_000
/** A broker that is not taken waits to be taken, and says why it is not. */
const refusedWithinMs = 10_000

const needRoom: readonly string[] = ['isolate', 'cut', 'deaf', 'mute', 'disk-full']

/** False, or why a fault cannot be carried out where this process is. */
export function whyNot(name: string): string | false {
  if (faults[name] === undefined) return `there is no fault '${name}': ${Object.keys(faults).join(', ')}`
  if (needRoom.includes(name) && !isInRoom())
    return `'${name}' needs hosts of their own: ${String(whyNoRoom())}`
  if (name === 'fsync' && spawnSync('strace', ['-V']).status !== 0)
    return `'${name}' needs strace (apt-get install strace)`
  return false
}

function anybody({ cluster }: Scene): BrokerNode {
  return pick(cluster.nodes)
}

function leaderOf({ cluster, leaders }: Scene): BrokerNode {
  const known = leaders.of.filter((id) => id >= 0)
  return known.length === 0 ? pick(cluster.nodes) : cluster.node(pick(known))
}

function controllerOf({ cluster, leaders }: Scene): BrokerNode {
  return leaders.controller < 0 ? pick(cluster.nodes) : cluster.node(leaders.controller)
}

function othersOf({ cluster }: Scene, node: BrokerNode): BrokerNode[] {
  return cluster.nodes.filter((other) => other !== node)
}

async function killed(scene: Scene, node: BrokerNode): Promise<void> {
  scene.say(`kill -9 of broker ${node.id}, which leads ${scene.leaders.ledBy(node.id).length}`)
  scene.lost(node.id)
  await node.kill()
  await sleep(scene.lastsMs)
  scene.say(`broker ${node.id} was ready in ${Math.round(await node.start())} ms`)
}

async function terminated(scene: Scene, node: BrokerNode): Promise<void> {
  const { code, tookMs } = await node.stop()
  scene.say(`SIGTERM of broker ${node.id}: exit ${code} after ${Math.round(tookMs)} ms`)
  if (code !== 0) throw new Error(`broker ${node.id} ended with ${code} after SIGTERM:\n${node.tail()}`)
  await sleep(scene.lastsMs)
  await node.start()
}

async function paused(scene: Scene, node: BrokerNode): Promise<void> {
  scene.say(`pause of broker ${node.id}`)
  node.pause()
  await sleep(scene.lastsMs)
  node.resume()
}

async function cut({ cluster, say, lastsMs }: Scene, links: readonly string[]): Promise<void> {
  const { network } = cluster
  if (network === null) throw new Error('brokers have no hosts of their own')
  say(`lost: ${links.map((link) => link.replace(' ', ' to ')).join(', ')}`)
  for (const link of links) {
    const [from, to] = link.split(' ').map(Number)
    network.cut(from ?? 0, to ?? 0)
  }
  await sleep(lastsMs)
  network.heal()
}

/** A partition that its disk has failed is offline until then. */
async function restarted({ say }: Scene, node: BrokerNode): Promise<void> {
  if (node.isRunning) await node.kill()
  await node.start()
  say(`broker ${node.id} has restarted`)
}
