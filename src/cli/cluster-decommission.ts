/** `lograft cluster decommission`: a broker leaves for good. */
import { type ClientFlags, withClient } from './session.ts'
import { interruption, print, printJson, progress } from './terminal.ts'

export interface DecommissionFlags extends ClientFlags {
  readonly wave?: number
}

export function decommission(nodeId: number, flags: DecommissionFlags): Promise<void> {
  return withClient(flags, async (client) => {
    const admin = client.admin({ signal: interruption() })
    const topics = await admin.listTopics({ internal: true })
    const held = topics
      .flatMap(({ partitions }) => partitions)
      .filter(({ replicas }) => replicas.includes(nodeId))
    const bar = await progress('moving', held.length)
    try {
      await admin.decommission(nodeId, {
        ...(flags.wave !== undefined && { waveSize: flags.wave }),
        onProgress: (left) => bar.update(Math.max(0, held.length - left)),
      })
    } finally {
      bar.stop()
    }
    if (flags.json === true) return printJson({ nodeId, moved: held.length, decommissioned: true })
    const moved = held.length === 1 ? '1 replica' : `${held.length} replicas`
    return print(`broker ${nodeId} is out of the cluster, ${moved} moved; it may be stopped\n`)
  })
}
