/**
 * The settings, one row each: Kafka's own dotted names; what Kafka has no name for starts with `lograft.`. The table (with
 * log-table.ts) is the only place that knows a default or a bound: parsing, checking, DescribeConfigs and the documentation come from it.
 *
 * Scope: 'broker' is read once at start; 'dynamic' may change while the broker runs (AlterConfigs on the broker).
 * A row with `topic` is also the default of that topic setting (`log.segment.bytes` of `segment.bytes`).
 */
import { logTable } from './log-table.ts'
import { boolean, int, long, type Row, row, string, unlimited } from './row.ts'

const later = 'is not served yet; this broker keeps records by time and size (cleanup.policy=delete)'

export const table = {
  // -- topics: the default of a topic setting ------------------------------------------------------------------
  'log.cleanup.policy': row<string>('list', 'delete', 'How old records go. Only delete is served.', {
    topic: 'cleanup.policy',
    oneOf: ['delete'],
    refused: { compact: later, 'compact,delete': later, 'delete,compact': later, snapshot: later },
    scope: 'dynamic',
  }),
  'compression.type': string('producer', 'The codec of stored batches: as the producer sent them.', {
    topic: 'compression.type',
    oneOf: ['producer'],
    refused: Object.fromEntries(
      ['none', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'].map((codec) => [
        codec,
        'would make the broker compress again; batches are stored as they came (compression.type=producer)',
      ]),
    ),
    scope: 'dynamic',
  }),
  'log.flush.interval.messages': long(
    1,
    'Records between two syncs. 1 (the default here; Kafka never syncs by count): acks=all means on disk. More: an ' +
      'acknowledgement means written, a sync follows after so many records.',
    { topic: 'flush.messages', min: 1, scope: 'dynamic' },
  ),
  'log.flush.interval.ms': long(
    unlimited,
    'With flush.messages above 1: the longest time until a sync, ms.',
    {
      topic: 'flush.ms',
      min: 0,
      scope: 'dynamic',
    },
  ),
  'log.index.interval.bytes': int(4096, 'Bytes of log between two entries of the offset index.', {
    topic: 'index.interval.bytes',
    min: 0,
    scope: 'dynamic',
  }),
  'log.index.size.max.bytes': int(10_485_760, 'The size at which an index makes its segment roll.', {
    topic: 'segment.index.bytes',
    min: 4,
    scope: 'dynamic',
  }),
  'message.max.bytes': int(1_048_588, 'The largest record batch, compressed as it is, in bytes.', {
    topic: 'max.message.bytes',
    min: 0,
    scope: 'dynamic',
  }),
  'log.message.timestamp.type': string(
    'CreateTime',
    'Whose clock stamps a record: CreateTime or LogAppendTime.',
    {
      topic: 'message.timestamp.type',
      oneOf: ['CreateTime', 'LogAppendTime'],
      scope: 'dynamic',
    },
  ),
  'log.message.timestamp.before.max.ms': long(
    unlimited,
    'How far behind the broker a timestamp may be, ms.',
    {
      topic: 'message.timestamp.before.max.ms',
      min: 0,
      scope: 'dynamic',
    },
  ),
  'log.message.timestamp.after.max.ms': long(
    3_600_000,
    'How far ahead of the broker a timestamp may be, ms.',
    {
      topic: 'message.timestamp.after.max.ms',
      min: 0,
      scope: 'dynamic',
    },
  ),
  'min.insync.replicas': int(1, 'Replicas that must be caught up for acks=all, on top of the majority.', {
    topic: 'min.insync.replicas',
    min: 1,
    scope: 'dynamic',
  }),
  'log.retention.bytes': long(-1, 'Bytes that a partition keeps; -1 for no limit.', {
    topic: 'retention.bytes',
    min: -1,
    scope: 'dynamic',
  }),
  'log.retention.ms': long(604_800_000, 'How long records are kept, ms; -1 for ever.', {
    topic: 'retention.ms',
    min: -1,
    scope: 'dynamic',
  }),
  'log.segment.bytes': int(1_073_741_824, 'The size at which a segment rolls.', {
    topic: 'segment.bytes',
    min: 1024,
    scope: 'dynamic',
  }),
  'log.roll.ms': long(604_800_000, 'The age at which a segment rolls, ms.', {
    topic: 'segment.ms',
    min: 1,
    scope: 'dynamic',
  }),

  // -- topics: creation ----------------------------------------------------------------------------------------
  'auto.create.topics.enable': boolean(true, 'Metadata that names a topic makes it.'),
  'num.partitions': int(1, 'Partitions of a topic that does not say.', { min: 1 }),
  'default.replication.factor': int(1, 'Replicas of a topic that does not say.', { min: 1, max: 32767 }),
  'delete.topic.enable': boolean(true, 'Whether topics can be deleted.'),
  'lograft.partitions.max': int(20_000, 'Partitions that this broker hosts at most.', { min: 1 }),

  ...logTable,

  // -- groups ---------------------------------------------------------------------------------------------------
  'offsets.topic.num.partitions': int(
    4,
    'Internal partitions over which groups are spread. Fixed at the first start.',
    {
      min: 1,
      max: 1000,
    },
  ),
  'group.initial.rebalance.delay.ms': int(3000, 'How long an empty group waits for more members, ms.', {
    min: 0,
  }),
  'group.min.session.timeout.ms': int(6000, 'The shortest session that a member may ask for, ms.', {
    min: 1,
  }),
  'group.max.session.timeout.ms': int(1_800_000, 'The longest session that a member may ask for, ms.', {
    min: 1,
  }),
  'group.max.size': int(1000, 'Members of one group.', { min: 1 }),
  'lograft.groups.max': int(100_000, 'Groups that this broker coordinates.', { min: 1 }),
  'offsets.retention.minutes': int(
    10_080,
    'How long the offsets of a group without members are kept, minutes.',
    { min: 1 },
  ),
  'offsets.retention.check.interval.ms': long(600_000, 'How often expired offsets are looked for, ms.', {
    min: 1,
  }),
  'offset.metadata.max.bytes': int(4096, 'The longest text committed with an offset, bytes.', { min: 0 }),

  // -- the listener ---------------------------------------------------------------------------------------------
  'socket.request.max.bytes': int(104_857_600, 'The largest request, bytes.', { min: 1024 }),
  'queued.max.requests': int(
    500,
    'Pipelined requests under way at once, over all connections, beyond the first of each.',
    { min: 1 },
  ),
  'lograft.connection.requests.max': int(64, 'Pipelined requests under way for one connection.', { min: 1 }),
  'lograft.turn.ms.max': int(
    5,
    'How long requests are started in one turn of the event loop; then those that wait go on in the next, ms.',
    { min: 1 },
  ),
  'lograft.connection.turn.requests.max': int(
    16,
    'Requests of one connection that start in one turn of the event loop.',
    { min: 1 },
  ),
  'lograft.connection.turn.bytes.max': int(
    1_048_576,
    'Bytes that are read from one connection in one turn of the event loop, and one read.',
    { min: 1 },
  ),
  'lograft.requests.bytes.max': int(
    268_435_456,
    'Bytes of requests under way at once; beyond, sockets are not read.',
    {
      min: 1_048_576,
    },
  ),
  'lograft.connection.outbound.bytes.max': int(
    8_388_608,
    'Bytes of answers that wait for one slow reader before its requests wait too.',
    { min: 65_536 },
  ),
  'lograft.responses.bytes.max': int(
    268_435_456,
    'Bytes of answers that are read or wait for slow readers at once; beyond, a fetch gets one batch at a time.',
    { min: 1_048_576 },
  ),
  'lograft.connection.stalled.ms': int(
    60_000,
    'How long a reader may take nothing before it is disconnected, ms.',
    { min: 100 },
  ),
  'lograft.frame.timeout.ms': int(30_000, 'How long a begun request may take to arrive, ms.', { min: 100 }),
  'max.connections': int(10_000, 'Connections at once.', { min: 1 }),
  'max.connections.per.ip': int(10_000, 'Connections at once from one address.', { min: 1 }),
  'connections.max.idle.ms': long(600_000, 'An idle connection is closed after, ms.', { min: 1 }),
  'fetch.max.bytes': int(57_671_680, 'The largest answer to a fetch, bytes.', { min: 1024 }),
  'lograft.fetches.parked.max': int(
    20_000,
    'Fetches that wait for records at once; beyond, they are answered empty.',
    { min: 1 },
  ),
  'lograft.fetches.woken.max': int(
    64,
    'Fetches that go on in one turn of the event loop when what they wait for has come; the others in the next turns.',
    { min: 1 },
  ),
  'max.request.partition.size.limit': int(2000, 'Partitions in one request that lists them.', { min: 1 }),

  // -- the quorum -----------------------------------------------------------------------------------------------
  'lograft.tick.ms': int(50, 'The beat of elections, heartbeats and housekeeping, ms.', { min: 1 }),
  'lograft.heartbeat.ms': int(150, 'How often a leader shows that it lives, ms.', { min: 1 }),
  'lograft.election.timeout.ms': int(1500, 'Silence after which a leader is given up, ms.', { min: 10 }),
  'lograft.append.bytes.max': int(
    1_048_576,
    'About the size of one append to a follower, and of one piece of an image, bytes.',
    { min: 1 },
  ),
  'lograft.append.inflight.bytes.max': int(
    8_388_608,
    'Bytes sent to one follower of one partition and not yet on its disk.',
    { min: 1 },
  ),
  'lograft.appends.in.flight.max': int(
    64,
    'Appends sent to one follower of one partition and not yet on its disk.',
    {
      min: 1,
    },
  ),
  'lograft.slow.leader.ms': int(
    200,
    'A leader whose disk takes this long, and four times as long as the fastest of the others, hands over, ms; 0: never.',
    { min: 0 },
  ),
  'lograft.slow.leader.window.ms': int(1000, 'How long the mean of that is taken over, ms.', { min: 10 }),
  'lograft.slow.leader.windows': int(3, 'So many such windows, one after the other, until it hands over.', {
    min: 1,
  }),
  'lograft.disk.free.bytes.min': long(
    268_435_456,
    'With less than this free on the disk (of a small disk: a sixteenth of it) no records are taken, bytes; 0: until it is full.',
    { min: 0 },
  ),
  'lograft.controller.timeout.ms': int(
    30_000,
    'How long a decision of the cluster may take, with finding out who leads it, ms.',
    { min: 100 },
  ),
  'lograft.leaders.wait.ms': int(
    10_000,
    'How long the answer to the creation of a topic waits until all its partitions are led, ms.',
    { min: 0 },
  ),
  'lograft.metadata.wait.ms': int(
    500,
    'How long Metadata waits for the leaders of a topic that is new, ms.',
    {
      min: 0,
    },
  ),
  'lograft.reassignments.max': int(16, 'Partitions led by one broker that move at the same time.', {
    min: 1,
  }),
  'auto.leader.rebalance.enable': boolean(true, 'Leaders hand over to the first replica, when it keeps up.'),
  'leader.imbalance.check.interval.seconds': int(
    300,
    'How often it is looked whether leaders should hand over, s.',
    { min: 1 },
  ),
  'lograft.peer.connect.timeout.ms': int(
    3000,
    'How long connecting to another broker may take, until both have shown who they are, ms.',
    { min: 10 },
  ),
  'lograft.peer.idle.timeout.ms': int(
    3000,
    'Silence after which a connection between brokers is given up, ms; the same on all brokers.',
    { min: 20 },
  ),
  'lograft.peer.backoff.ms': int(50, 'The first pause before connecting to a broker again, ms.', { min: 1 }),
  'lograft.peer.backoff.max.ms': int(1000, 'The longest pause before connecting to a broker again, ms.', {
    min: 1,
  }),
  'lograft.peer.frame.bytes.max': int(
    134_217_728,
    'The largest frame taken from another broker, bytes; well above the largest batch.',
    { min: 1_048_576 },
  ),
  'lograft.peer.data.queue.bytes.max': int(
    33_554_432,
    'Bytes of appends that wait for one slow broker; beyond, they are dropped and sent again later.',
    { min: 65_536 },
  ),
  'lograft.peer.control.queue.bytes.max': int(
    4_194_304,
    'Bytes of heartbeats, votes and answers that wait for one slow broker; beyond, they are dropped.',
    { min: 65_536 },
  ),
  'lograft.peer.calls.max': int(1000, 'Unanswered requests to, and from, one other broker.', { min: 1 }),
  'lograft.peer.connections.max': int(1000, 'Connections at once on the port for brokers.', { min: 2 }),
  'lograft.scrub.bytes.per.second': long(
    8_388_608,
    'How fast old bytes that nobody reads are checked for damage, after the start; 0: not at all.',
    { min: 0 },
  ),
  'lograft.peer.secret.file': string(
    '',
    'A file with the secret that the brokers of a cluster share; without one, any that knows the ids may join.',
  ),
  'controlled.shutdown.timeout.ms': int(
    8000,
    'How long a stopping broker waits for requests under way, ms.',
    { min: 0 },
  ),
  'lograft.loop.window.ms': int(
    60_000,
    'How long the figures of the event loop reach back, ms; at most one line a window says that it stood still.',
    { min: 100 },
  ),
  'lograft.loop.stall.warn.ms': int(
    200,
    'A line says so when nothing was answered for longer, ms; 0: never. A heartbeat is late then. Less is not worth a line on a ' +
      'machine that others use, too: there 50 to 150 ms pass now and then without CPU.',
    { min: 0, scope: 'dynamic' },
  ),
  'broker.rack': string('', 'The rack (zone) of this broker.'),
} as const satisfies { readonly [name: string]: Row<unknown> }

export type SettingName = keyof typeof table
/** Widens a literal default to the type of its values. */
export type SettingValue<N extends SettingName> = (typeof table)[N]['default'] extends boolean
  ? boolean
  : (typeof table)[N]['default'] extends number
    ? number
    : string

/** Topic setting -> the broker setting that is its default: 'segment.bytes' -> 'log.segment.bytes'. */
export const topicSettingDefaults: ReadonlyMap<string, SettingName> = new Map(
  (Object.entries(table) as [SettingName, Row<unknown>][]).flatMap(([name, row]) =>
    row.topic === undefined ? [] : [[row.topic, name] as const],
  ),
)
