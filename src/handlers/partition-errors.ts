/** Error codes of partitions, in the shape that the answers of OffsetCommit and OffsetDelete share. */
import { errorCode } from '../base/error-codes.ts'
import type { PartitionErrors } from '../machines/groups/commands.ts'

interface AskedTopic {
  readonly name: string
  readonly partitions: readonly { readonly partitionIndex: number }[]
}

/** In the order of the request. What the coordinator was not asked about does not exist. */
export function partitionErrors(asked: readonly AskedTopic[], { topics }: PartitionErrors) {
  const codes = new Map(
    topics.map(({ name, partitions }) => [
      name,
      new Map(partitions.map(({ index, error }) => [index, errorCode(error)])),
    ]),
  )
  const unknown = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
  return asked.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: codes.get(name)?.get(partitionIndex) ?? unknown,
    })),
  }))
}
