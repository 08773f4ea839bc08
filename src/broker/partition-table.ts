/**
 * One thing for each partition of each topic. Looked up for every batch: by the id that the topic has, without a key that would have
 * to be put together and compared.
 */
export class PartitionTable<Value> {
  readonly #topics = new Map<string, Map<number, Value>>()

  get(topicId: string, index: number): Value | undefined {
    return this.#topics.get(topicId)?.get(index)
  }

  set(topicId: string, index: number, value: Value): void {
    const topic = this.#topics.get(topicId)
    if (topic === undefined) this.#topics.set(topicId, new Map([[index, value]]))
    else topic.set(index, value)
  }

  delete(topicId: string, index: number): void {
    const topic = this.#topics.get(topicId)
    if (topic?.delete(index) === true && topic.size === 0) this.#topics.delete(topicId)
  }

  *values(): Generator<Value, void, void> {
    for (const topic of this.#topics.values()) yield* topic.values()
  }
}
