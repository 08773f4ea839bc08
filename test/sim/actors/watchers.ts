/** Who asks all brokers who leads, again and again: what one of them says never goes back (see ClusterClient). */
import { ClusterClient } from '../cluster-client.ts'
import { pick, type Stage, sleep } from '../stage.ts'

export async function watch(stage: Stage, name: string): Promise<void> {
  const random = stage.random.fork(name)
  const client = new ClusterClient(stage, name)
  while (!stage.isOver) {
    await client.look(pick(stage.places, random))
    await sleep(stage, random.below(30))
  }
  client.close()
}
