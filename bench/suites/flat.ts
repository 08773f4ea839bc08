/** What a batch costs must not depend on how many partitions, connections or bytes a broker has. */
import { overConnections } from '../flat/connections.ts'
import { overLogSize } from '../flat/log-size.ts'
import { overPartitions } from '../flat/partitions.ts'
import type { Suite } from '../report.ts'

export const flat: Suite = async ({ isQuick }) => [
  ...(await overPartitions(isQuick)),
  ...(await overConnections(isQuick)),
  ...(await overLogSize(isQuick)),
]
