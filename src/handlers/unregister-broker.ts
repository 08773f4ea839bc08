/** UnregisterBroker: a broker that holds nothing any more leaves the cluster for good. */
import { UnregisterBroker } from '../protocol/apis/unregister-broker.ts'
import { handler } from './handler.ts'
import { noError, refusedAsError } from './refusals.ts'

export const unregisterBroker = handler(UnregisterBroker, ({ brokerId }, { broker }) =>
  refusedAsError(
    async () => {
      await broker.controller.unregisterBroker(brokerId)
      return noError
    },
    (error) => error,
  ),
)
