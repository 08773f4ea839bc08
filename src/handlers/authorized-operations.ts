/**
 * What a client may do to a resource, as a bit field of Kafka's AclOperation codes. There are no access rules yet, so everything
 * that Kafka lists for the kind of resource is allowed.
 * @source KIP-430
 */
const operation = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const

const bits = (...operations: (keyof typeof operation)[]) =>
  operations.reduce((field, name) => field | (1 << operation[name]), 0)

export const topicOperations = bits(
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'describeConfigs',
  'alterConfigs',
)
export const clusterOperations = bits(
  'create',
  'alter',
  'describe',
  'clusterAction',
  'describeConfigs',
  'alterConfigs',
  'idempotentWrite',
)
export const groupOperations = bits('read', 'delete', 'describe', 'describeConfigs', 'alterConfigs')

/** Not asked for. */
export const operationsOmitted = -2147483648
