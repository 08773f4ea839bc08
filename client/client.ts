/**
 * A Kafka client in TypeScript, for lograft or any other Kafka.
 *
 *     await using client = new Client({ bootstrap: '127.0.0.1:9092' })
 *     await client.producer().send({ topic: 'orders', key: '42', value: 'paid' })
 *     for await (const record of client.consumer({ topics: ['orders'], groupId: 'billing' })) ...
 *
 *   client.ts    this face                       producer.ts  gathers and sends
 *   cluster.ts   who is where, retries           consumer.ts  reads, alone or as a member of a group
 *   connection.ts one socket                     admin.ts     topics, settings, groups, offsets
 *   typed.ts     topics with declared types      avro.ts      of Avro, by a registry: an entry of its own
 *
 * docs/client.md shows it at work; diagnostics.ts lists what it tells of itself.
 *
 * It imports only src/{base,protocol,records} of the broker: one notation drives both ends of the wire.
 */
import { Admin, type AdminOptions } from './admin.ts'
import { Cluster } from './cluster.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerOptions } from './consumer-settings.ts'
import { ClientClosed } from './errors.ts'
import { Producer } from './producer.ts'
import type { ProducerOptions } from './producer-settings.ts'
import type { TopicTypes } from './serdes.ts'
import { type ClientOptions, settingsOf } from './settings.ts'
import { TypedClient } from './typed.ts'

// What an application names besides the Client: this file is all that the package exports of the client.
export type { CallOptions } from './abort.ts'
export type { Admin, AdminOptions, ClusterDescription, LogDir } from './admin.ts'
export type { ConfigEntry, ConfigResource } from './admin-configs.ts'
export type { GroupDescription, GroupListing, GroupOffset, OffsetReset } from './admin-groups.ts'
export type { ElectionType } from './admin-leaders.ts'
export type { QuorumDescription, QuorumReplica } from './admin-quorum.ts'
export type { OngoingReassignment, Reassignment } from './admin-reassignments.ts'
export type { CreatedTopic, DeletedRecords, NewTopic, RecordsToDelete } from './admin-topics.ts'
export type { AssignorName } from './assignors.ts'
export type { Consumer, ConsumerBatch, ConsumerPosition } from './consumer.ts'
export type { ConsumerOptions, RebalanceHooks } from './consumer-settings.ts'
export type { DecommissionOptions } from './decommission.ts'
export type { ClientEvents } from './diagnostics.ts'
export * from './errors.ts'
export type { TopicMetadata } from './metadata.ts'
export type { CommittedOffset, FoundOffset, OffsetToCommit, Position } from './offsets.ts'
export type { TopicPartition } from './partition.ts'
export type { ConsumerRecord } from './partition-reader.ts'
export type { Partitioner } from './partitioner.ts'
export type { Producer } from './producer.ts'
export type { Done } from './producer-batch.ts'
export type { ProducerOptions } from './producer-settings.ts'
export type { WaitOptions } from './progress.ts'
export type { ProducerRecord, RecordPlace } from './record.ts'
export * from './schema-registry.ts'
export * from './serdes.ts'
export type { ClientOptions, Logger } from './settings.ts'
export type { LeaderTransfer } from './transfer-plan.ts'
export type { Transport } from './transport.ts'
export type {
  SendOptions,
  TypedClient,
  TypedConsumer,
  TypedConsumerOptions,
  TypedProducer,
  TypedRecord,
} from './typed.ts'

export class Client {
  readonly #cluster: Cluster
  #closing: Promise<void> | null = null

  /** Connects when it is first needed. @throws InvalidArgument naming the setting */
  constructor(options: ClientOptions) {
    this.#cluster = new Cluster(settingsOf(options))
    const { signal } = options
    if (signal === undefined) return
    const close = (): void => void this.close()
    signal.addEventListener('abort', close)
    this.#cluster.lifetime.onEnd(() => signal.removeEventListener('abort', close))
    if (signal.aborted) close()
  }

  producer(options: ProducerOptions = {}): Producer {
    this.#check()
    return new Producer(this.#cluster, options)
  }

  consumer(options: ConsumerOptions): Consumer {
    this.#check()
    return new Consumer(this.#cluster, options)
  }

  admin(options: AdminOptions = {}): Admin {
    this.#check()
    return new Admin(this.#cluster, options)
  }

  /** The same client, with the types of what is in these topics. */
  typed<T extends TopicTypes>(topics: T): TypedClient<T> {
    return new TypedClient(this, topics)
  }

  /** Closes its producers (which send what is left) and consumers (which leave their groups), then every connection. */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(options: { timeoutMs?: number }): Promise<void> {
    await Promise.all([...this.#cluster.parts].map((part) => part.close(options)))
    this.#cluster.close()
  }

  #check(): void {
    if (this.#closing !== null) throw new ClientClosed('client')
  }
}
