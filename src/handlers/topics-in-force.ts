import type { Broker } from '../broker/broker.ts'

/**
 * A topic that was just created is in the image some milliseconds before its partitions are open, and led. Its maker is answered
 * only then; nobody else hears of a topic without leaders either, unless its leaders take long: others want to know of theirs.
 * @param names null for all
 */
export async function topicsInForce(broker: Broker, names: readonly string[] | null): Promise<void> {
  const all = names ?? [...broker.image.topics.all()].map(({ name }) => name)
  const underWay = all.flatMap((name) => broker.controller.underWay(name) ?? [])
  if (underWay.length > 0) await Promise.all(underWay)
  const beginning = all.flatMap((name) => broker.controller.beginning(name) ?? [])
  if (beginning.length > 0) await inTime(broker, Promise.all(beginning))
}

async function inTime({ world, settings }: Broker, done: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = world.clock.setTimer(settings.get('lograft.metadata.wait.ms'), resolve)
    done.then(() => {
      timer.cancel()
      resolve()
    }, reject)
  })
}
