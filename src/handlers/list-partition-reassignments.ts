/** ListPartitionReassignments: the moves that are under way, from this broker's image. */
import type { Topic } from '../machines/cluster/state.ts'
import { ListPartitionReassignments } from '../protocol/apis/list-partition-reassignments.ts'
import { handler } from './handler.ts'
import { noError } from './refusals.ts'

export const listPartitionReassignments = handler(ListPartitionReassignments, (request, { broker }) => {
  const { topics } = broker.image
  const asked =
    request.topics === null
      ? [...topics.all()].map((topic) => ({ topic, indexes: [...topic.moves.keys()] }))
      : request.topics.flatMap(({ name, partitionIndexes }) => {
          const topic = topics.byName(name)
          return topic === undefined ? [] : [{ topic, indexes: partitionIndexes }]
        })
  const moving = asked.map(({ topic, indexes }) => ({
    name: topic.name,
    partitions: indexes.flatMap((index) => describe(topic, index) ?? []),
  }))
  return { ...noError, topics: moving.filter(({ partitions }) => partitions.length > 0) }
})

function describe(topic: Topic, index: number) {
  const move = topic.moves.get(index)
  const replicas = topic.placements[index]
  if (move === undefined || replicas === undefined) return undefined
  return {
    partitionIndex: index,
    replicas,
    addingReplicas: move.to.filter((id) => !move.from.includes(id)),
    removingReplicas: replicas.filter((id) => !move.to.includes(id)),
  }
}
