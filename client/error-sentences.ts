/** Kafka's error names in a sentence, with what a person can do. Only those that a user is likely to see. */
import type { ErrorName } from '../src/base/error-codes.ts'

export const sentences: { readonly [N in ErrorName]?: { readonly what: string; readonly advice: string } } = {
  UNKNOWN_TOPIC_OR_PARTITION: {
    what: 'no such topic or partition',
    advice: 'create the topic, or check its name and the partition number',
  },
  UNKNOWN_TOPIC_ID: {
    what: 'no topic has this id any more',
    advice: 'it was deleted; look it up by name again',
  },
  TOPIC_ALREADY_EXISTS: { what: 'it exists already', advice: 'use it, or choose another name' },
  INVALID_TOPIC_EXCEPTION: {
    what: 'not a valid topic name',
    advice: 'use 1 to 249 characters of a-z A-Z 0-9 . _ -',
  },
  INVALID_PARTITIONS: { what: 'not a valid number of partitions', advice: 'partitions can only be added' },
  INVALID_REPLICATION_FACTOR: {
    what: 'not a possible replication factor',
    advice: 'ask for at most as many replicas as there are brokers',
  },
  INVALID_CONFIG: { what: 'not a valid setting', advice: 'check the name and the value' },
  INVALID_REQUEST: { what: 'the broker does not accept the request', advice: '' },
  POLICY_VIOLATION: { what: "the cluster's policy forbids it", advice: '' },
  OFFSET_OUT_OF_RANGE: {
    what: 'the offset lies outside the log',
    advice: 'it was trimmed by retention, or never written; start from beginning or end',
  },
  MESSAGE_TOO_LARGE: {
    what: "the batch is over the topic's limit",
    advice: 'raise max.message.bytes of the topic, or send less at once',
  },
  INVALID_RECORD: { what: 'the broker does not accept the records', advice: '' },
  CORRUPT_MESSAGE: {
    what: 'a batch arrived damaged',
    advice: 'retry; if it persists, the disk or the network is bad',
  },
  UNSUPPORTED_COMPRESSION_TYPE: {
    what: 'the broker does not take this compression',
    advice: 'choose another compression',
  },
  NOT_LEADER_OR_FOLLOWER: { what: 'another broker leads the partition now', advice: 'retry' },
  LEADER_NOT_AVAILABLE: { what: 'the partition has no leader at the moment', advice: 'retry' },
  NOT_ENOUGH_REPLICAS: {
    what: 'too few replicas are in sync',
    advice: 'bring the missing brokers back, or lower min.insync.replicas',
  },
  KAFKA_STORAGE_ERROR: { what: "the broker's disk failed", advice: "see the broker's log" },
  REQUEST_TIMED_OUT: {
    what: 'the broker did not finish in time',
    advice: 'retry; the request may still take effect',
  },
  UNKNOWN_SERVER_ERROR: { what: 'the broker failed unexpectedly', advice: "see the broker's log" },
  GROUP_ID_NOT_FOUND: { what: 'no such group', advice: 'check the name of the group' },
  NON_EMPTY_GROUP: { what: 'the group has members', advice: 'stop its consumers first' },
  INVALID_GROUP_ID: { what: 'not a valid group name', advice: 'give the group a name' },
  GROUP_SUBSCRIBED_TO_TOPIC: { what: 'the group consumes this topic', advice: 'stop its consumers first' },
  INCONSISTENT_GROUP_PROTOCOL: {
    what: 'the members of the group share no assignment strategy',
    advice: 'give every member of the group the same assignors',
  },
  FENCED_INSTANCE_ID: {
    what: 'another member with the same group instance id has taken over',
    advice: 'give every member an instance id of its own',
  },
  GROUP_MAX_SIZE_REACHED: { what: 'the group is full', advice: 'raise group.max.size, or run fewer members' },
  INVALID_SESSION_TIMEOUT: {
    what: "the session time-out lies outside the broker's bounds",
    advice: 'see group.min.session.timeout.ms and group.max.session.timeout.ms',
  },
  TOPIC_AUTHORIZATION_FAILED: { what: 'not authorised for this topic', advice: 'ask for access' },
  GROUP_AUTHORIZATION_FAILED: { what: 'not authorised for this group', advice: 'ask for access' },
  CLUSTER_AUTHORIZATION_FAILED: { what: 'not authorised for this cluster', advice: 'ask for access' },
  PRODUCER_FENCED: { what: 'a newer producer with the same transactional id took over', advice: '' },
  UNSUPPORTED_VERSION: { what: 'the broker does not serve this version of the request', advice: '' },
  TOPIC_DELETION_DISABLED: {
    what: 'the cluster does not allow deletion of topics',
    advice: 'set delete.topic.enable',
  },
  INVALID_REPLICA_ASSIGNMENT: {
    what: 'not a possible place for the partition',
    advice: 'name brokers of the cluster, each once',
  },
  NO_REASSIGNMENT_IN_PROGRESS: { what: 'the partition does not move', advice: '' },
  REASSIGNMENT_IN_PROGRESS: {
    what: 'the partition moves',
    advice: 'wait until it has arrived, or cancel the move',
  },
  PREFERRED_LEADER_NOT_AVAILABLE: {
    what: 'the first replica cannot lead: it is not in sync',
    advice: 'start its broker, or wait until it has caught up',
  },
  ELIGIBLE_LEADERS_NOT_AVAILABLE: {
    what: 'no replica that could lead is up',
    advice: 'start the brokers that hold it',
  },
  BROKER_ID_NOT_REGISTERED: {
    what: 'the cluster knows no such broker',
    advice: 'see the ids with lograft cluster status',
  },
}
