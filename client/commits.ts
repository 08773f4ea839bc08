/** What a consumer commits: by itself, every so often, what the loop is done with; by hand, what it was given. */
import type { Cluster } from './cluster.ts'
import type { ConsumerSettings } from './consumer-settings.ts'
import { channels } from './diagnostics.ts'
import { asKafkaError, InvalidArgument } from './errors.ts'
import type { Lifetime } from './lifetime.ts'
import { type Committer, commitOffsets, type OffsetToCommit } from './offsets.ts'
import { nameOf } from './partition.ts'
import type { PartitionReader } from './partition-reader.ts'
import type { Timer } from './transport.ts'

/** Whose offsets, and in whose name. */
export interface CommitSource {
  readonly readers: readonly PartitionReader[]
  /** null outside a group's membership. */
  readonly committer: Committer | null
}

export class Commits {
  readonly #cluster: Cluster
  readonly #settings: ConsumerSettings
  readonly #lifetime: Lifetime
  readonly #source: CommitSource
  #timer: Timer | null = null
  #isStopped = false

  constructor(cluster: Cluster, settings: ConsumerSettings, lifetime: Lifetime, source: CommitSource) {
    this.#cluster = cluster
    this.#settings = settings
    this.#lifetime = lifetime
    this.#source = source
  }

  /** From now on every `autoCommitIntervalMs`. */
  start(): void {
    if (!this.#settings.autoCommit) return
    this.#timer = this.#lifetime.timer(this.#settings.autoCommitIntervalMs, () => {
      void this.commitProcessed().then(() => {
        if (!this.#isStopped) this.start()
      })
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** What is processed and not committed yet. A failure is logged: the next time commits it as well. */
  async commitProcessed(): Promise<void> {
    if (!this.#settings.autoCommit) return
    const offsets = this.#source.readers
      .filter(({ processed, committed }) => processed >= 0 && processed !== committed)
      .map(({ topic, partition, processed: offset, processedEpoch: leaderEpoch }) => ({
        topic,
        partition,
        offset,
        leaderEpoch,
      }))
    try {
      await this.commit(offsets)
    } catch (cause) {
      if (this.#lifetime.isOver) return
      const { code, message } = asKafkaError(cause)
      this.#cluster.settings.logger.warn({ code }, `consumer: offsets were not committed: ${message}`)
    }
  }

  /** All that was handed out and is not committed yet, what is in hand included. @throws KafkaError */
  commitDelivered(): Promise<void> {
    return this.commit(
      this.#source.readers
        .filter(({ delivered, committed }) => delivered >= 0 && delivered !== committed)
        .map(({ topic, partition, delivered: offset, deliveredEpoch: leaderEpoch }) => ({
          topic,
          partition,
          offset,
          leaderEpoch,
        })),
    )
  }

  /** @throws KafkaError */
  async commit(offsets: readonly OffsetToCommit[]): Promise<void> {
    if (offsets.length === 0) return
    const committer = this.#committer()
    await this.#cluster.retry(
      `commit for group ${committer.groupId}`,
      () => commitOffsets(this.#cluster, committer, offsets),
      // The topic was deleted: there is nothing to wait for.
      { isFinal: ({ code }) => code === 'UNKNOWN_TOPIC_OR_PARTITION' },
    )
    if (channels.committed.hasSubscribers) {
      channels.committed.publish({ groupId: committer.groupId, memberId: committer.memberId, offsets })
    }
    for (const offset of offsets) {
      const reader = this.#source.readers.find((r) => r.name === nameOf(offset))
      if (reader === undefined) continue
      reader.committed = offset.offset
      // Who commits says that it is done with what lies before.
      if (offset.offset <= reader.processed) continue
      reader.processed = offset.offset
      reader.processedEpoch = offset.leaderEpoch ?? -1
    }
  }

  #committer(): Committer {
    const { committer } = this.#source
    if (committer !== null) return committer
    const { groupId } = this.#settings
    if (groupId === null) throw new InvalidArgument('a commit needs a groupId')
    return { groupId, memberId: '', generationId: -1, groupInstanceId: null }
  }
}
