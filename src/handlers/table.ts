/**
 * Every API that is served, with its handler. Dispatch, the answer to ApiVersions and the README's compatibility table come from
 * this list; an API that is not in it does not exist for clients.
 */
import { apiVersions } from './api-versions.ts'
import { deleteRecords } from './delete-records.ts'
import { describeLogDirs } from './describe-log-dirs.ts'
import { describeProducers } from './describe-producers.ts'
import { fetch } from './fetch.ts'
import type { Handler } from './handler.ts'
import { initProducerId } from './init-producer-id.ts'
import { listOffsets } from './list-offsets.ts'
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.ts'
import { produce } from './produce.ts'

export const handlers: readonly Handler[] = [
  apiVersions(() => handlers),
  // records
  produce,
  fetch,
  listOffsets,
  offsetForLeaderEpoch,
  deleteRecords,
  initProducerId,
  describeProducers,
  describeLogDirs,
]
