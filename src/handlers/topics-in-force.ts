import type { Broker } from '../broker/broker.ts'

/**
 * A topic that was just created is in the image some milliseconds before its partitions are open. Its maker is answered only
 * then; nobody else hears of a topic without leaders either.
 * @param names null for all
 */
export async function topicsInForce(broker: Broker, names: readonly string[] | null): Promise<void> {
  const all = names ?? [...broker.image.topics.all()].map(({ name }) => name)
  const underWay = all.flatMap((name) => broker.controller.underWay(name) ?? [])
  if (underWay.length > 0) await Promise.all(underWay)
}
