/** Partitions on a real log and a real quorum of one, asked through the handlers. */
import t from 'tap'
import { errorCode } from '../../src/base/error-codes.ts'
import { Partition } from '../../src/broker/partition.ts'
import { SeededRandom } from '../../src/embedded/seeded-random.ts'
import { type DiskOperation, SimDisk, type SimDiskOptions } from '../../src/embedded/sim-disk.ts'
import { FilePool } from '../../src/log/file-pool.ts'
import { openLog } from '../../src/log/segmented-log.ts'
import { DeleteRecords } from '../../src/protocol/apis/delete-records.ts'
import { DescribeProducers } from '../../src/protocol/apis/describe-producers.ts'
import { Fetch } from '../../src/protocol/apis/fetch.ts'
import { ListOffsets } from '../../src/protocol/apis/list-offsets.ts'
import { OffsetForLeaderEpoch } from '../../src/protocol/apis/offset-for-leader-epoch.ts'
import { Produce } from '../../src/protocol/apis/produce.ts'
import * as batch from '../../src/records/batch.ts'
import { readRecords } from '../../src/records/records.ts'
import type { Replica } from '../../src/replica/replica.ts'
import { ReplicaHost } from '../../src/replica/replica-host.ts'
import { batchOf, startHandlers, topicId } from '../handlers/fixture.ts'
import { ManualClock, turns } from '../server/world.ts'

const folder = '/data/events-0'

interface Opened {
  readonly ask: ReturnType<typeof startHandlers>['ask']
  readonly replica: Replica
  readonly clock: ManualClock
  close(): Promise<void>
}

class Machine {
  readonly clock = new ManualClock()
  readonly disk: SimDisk

  constructor(options: SimDiskOptions = {}) {
    this.disk = new SimDisk({ clock: this.clock, ...options })
  }

  /** Opens what is on the disk as a broker does after its start. */
  async open(
    configs: Record<string, string> = {},
    segmentBytesMax = 2000,
    uncommittedBytesMax = 1 << 20,
  ): Promise<Opened> {
    const disk = this.disk.mount()
    disk.mkdir('/data')
    const { clock } = this
    const files = new FilePool({ disk, openMax: 16 })
    const log = await openLog({
      world: { disk, clock },
      folder,
      files,
      settings: {
        segmentBytesMax,
        segmentMs: Infinity,
        indexIntervalBytes: 200,
        indexBytesMax: 1 << 20,
        expandedBytesMax: 1 << 20,
        producerExpirationMs: 86_400_000,
        producersMax: 100,
      },
    })
    const host = new ReplicaHost({
      world: { clock, disk, random: new SeededRandom(1) },
      nodeId: 1,
      outbox: { send: () => {} },
      settings: { tickMs: 50, electionTimeoutMs: 1000, heartbeatMs: 100, syncsInFlightMax: 2 },
      onEvent: () => {},
    })
    const settings = { flushMessages: 1, flushMs: Infinity, uncommittedBytesMax }
    const replica = await host.open({ name: 'events-0', folder, log, voters: [1], settings })
    await replica.whenReady()
    let partition: Partition | undefined
    const { ask } = startHandlers({
      clock,
      configs,
      hosted: (topic, index, effective) => {
        if (index !== 0) return undefined
        partition ??= new Partition({ topic, index, replica, settings: effective, onEvent: () => {} })
        return partition
      },
    })
    return {
      ask,
      replica,
      clock,
      close: async () => {
        partition?.close()
        await host.close()
      },
    }
  }
}

const produce = (acks: number, records: Buffer) => ({
  acks,
  timeoutMs: 5000,
  topicData: [{ name: 'events', partitionData: [{ index: 0, records: [records] }] }],
})

async function send({ ask }: Opened, acks: number, records: Buffer) {
  return (await ask(Produce, 9, produce(acks, records)))?.responses[0]?.partitionResponses[0]
}

async function read({ ask }: Opened, fetchOffset: number, rest: { maxWaitMs?: number } = {}) {
  const answer = await ask(Fetch, 12, {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [
      { topic: 'events', topicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] },
    ],
    ...rest,
  })
  const row = answer?.responses[0]?.partitions[0]
  const bytes = Buffer.concat(row?.records ?? [])
  const values: [number, string][] = []
  for (let at = 0; at < bytes.length; at += batch.batchSize(bytes, at)) {
    for (const record of readRecords(bytes, at, { maxExpandedBytes: 1 << 20 })) {
      values.push([record.offset, String(record.value)])
    }
  }
  return {
    errorCode: row?.errorCode,
    highWatermark: row?.highWatermark,
    logStartOffset: row?.logStartOffset,
    bytes,
    values,
  }
}

const list = async ({ ask }: Opened, timestamp: number) =>
  (
    await ask(ListOffsets, 7, {
      replicaId: -1,
      topics: [{ name: 'events', partitions: [{ partitionIndex: 0, timestamp }] }],
    })
  )?.topics[0]?.partitions[0]

t.test(
  'what is produced comes back byte for byte, with its place stamped, also after a restart',
  async (t) => {
    const machine = new Machine()
    let broker = await machine.open()
    const sent = [batchOf(['a', 'b']), batchOf(['c']), batchOf(['d', 'e', 'f'])]
    const asSent = sent.map((bytes) => Buffer.from(bytes))
    for (const [i, records] of sent.entries()) {
      t.match(await send(broker, -1, records), { errorCode: 0, baseOffset: [0, 2, 3][i] as number })
    }
    const epoch = broker.replica.epoch
    for (const again of [false, true]) {
      if (again) {
        await broker.close()
        broker = await machine.open()
        t.ok(broker.replica.epoch > epoch)
      }
      const { bytes, values, highWatermark } = await read(broker, 0)
      t.equal(highWatermark, 6)
      t.same(values, [
        [0, 'a'],
        [1, 'b'],
        [2, 'c'],
        [3, 'd'],
        [4, 'e'],
        [5, 'f'],
      ])
      let at = 0
      for (const original of asSent) {
        t.ok(
          bytes.subarray(at + 16, at + original.length).equals(original.subarray(16)),
          'from the checksum on',
        )
        t.equal(batch.leaderEpoch(bytes, at), epoch)
        at += original.length
      }
      t.equal(at, bytes.length)
    }
    t.same((await read(broker, 4)).values[0], [3, 'd'], 'the batch that holds the offset')
    const end = (leaderEpoch: number) =>
      broker.ask(OffsetForLeaderEpoch, 4, {
        topics: [{ topic: 'events', partitions: [{ partition: 0, leaderEpoch }] }],
      })
    t.match((await end(epoch))?.topics[0]?.partitions[0], { errorCode: 0, leaderEpoch: epoch, endOffset: 6 })
    t.match(await send(broker, -1, batchOf(['g'])), { baseOffset: 6 }, 'a restart takes no offset')
    await broker.close()
  },
)

t.test('one sync covers all that came meanwhile, and no answer leaves before it', async (t) => {
  let syncs = 0
  let release: () => void = () => {}
  let isHeld = false
  const device = (operation: DiskOperation) => {
    if (operation.kind !== 'sync' || !operation.path.endsWith('.log')) return Promise.resolve()
    syncs++
    return isHeld ? new Promise<void>((resolve) => (release = resolve)) : Promise.resolve()
  }
  const broker = await new Machine({ device }).open({}, 1 << 20)
  await send(broker, -1, batchOf(['first']))
  syncs = 0
  isHeld = true
  let answered = 0
  const waiting = read(broker, 1, { maxWaitMs: 60_000 })
  const requests = Array.from({ length: 50 }, async (_, i) => {
    const row = await send(broker, -1, batchOf([`v${i}`]))
    answered++
    return row
  })
  await turns()
  t.same(
    [answered, syncs, broker.replica.highWatermark],
    [0, 1, 1],
    'nothing is visible while the disk is busy',
  )
  isHeld = false
  release()
  const rows = await Promise.all(requests)
  t.same(
    rows.map((row) => row?.baseOffset),
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  t.ok(syncs <= 2, `${syncs} syncs for 50 requests`)
  t.ok((await waiting).values.length > 0, 'the fetch that waited was woken')
  await broker.close()
})

t.test('acks=1 survives the death of the process, acks=all that of the machine', async (t) => {
  const machine = new Machine({ canLosePower: true })
  let broker = await machine.open()
  t.match(await send(broker, -1, batchOf(['all'])), { errorCode: 0 })
  t.match(await send(broker, 1, batchOf(['one'])), { errorCode: 0, baseOffset: 1 })
  machine.disk.kill()
  broker = await machine.open()
  t.same((await read(broker, 0)).values, [
    [0, 'all'],
    [1, 'one'],
  ])
  t.match(await send(broker, -1, batchOf(['all again'])), { errorCode: 0, baseOffset: 2 })
  machine.disk.losePower(new SeededRandom(3))
  broker = await machine.open()
  t.same((await read(broker, 0)).values, [
    [0, 'all'],
    [1, 'one'],
    [2, 'all again'],
  ])
})

t.test('a retry of an idempotent producer is stored once, also after a restart', async (t) => {
  const machine = new Machine()
  let broker = await machine.open()
  const attempt = (sequence: number, values: string[], producerEpoch = 0) =>
    send(broker, -1, batchOf(values, { producerId: 7, producerEpoch, baseSequence: sequence }))
  const answers = await Promise.all([attempt(0, ['a', 'b']), attempt(0, ['a', 'b']), attempt(2, ['c'])])
  t.match(answers, [{ baseOffset: 0 }, { baseOffset: 0 }, { baseOffset: 2 }])
  for (let sequence = 3; sequence < 6; sequence++) await attempt(sequence, [`s${sequence}`])
  machine.disk.kill()
  broker = await machine.open()
  t.match(await attempt(2, ['c']), { errorCode: 0, baseOffset: 2 }, 'one of the last five')
  t.match(await attempt(9, ['gap']), { errorCode: errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER') })
  t.match(await attempt(0, ['x'], 1), { errorCode: 0, baseOffset: 6 }, 'a new epoch begins at 0')
  t.match(await attempt(6, ['old']), { errorCode: errorCode('INVALID_PRODUCER_EPOCH') })
  t.same(
    (await read(broker, 0)).values.map(([, value]) => value),
    ['a', 'b', 'c', 's3', 's4', 's5', 'x'],
  )
  const described = await broker.ask(DescribeProducers, 0, {
    topics: [{ name: 'events', partitionIndexes: [0] }],
  })
  t.match(described?.topics[0]?.partitions[0]?.activeProducers, [
    { producerId: 7, producerEpoch: 1, lastSequence: 0 },
  ])
  await broker.close()
})

t.test('a first batch that is refused for the moment is not overtaken by the second', async (t) => {
  const broker = await new Machine().open({}, 2000, 1000)
  const attempt = (producerId: number, baseSequence: number, values: string[]) =>
    send(broker, -1, batchOf(values, { producerId, producerEpoch: 0, baseSequence }))
  const large = 'x'.repeat(900)
  const [filling, first, second] = await Promise.all([
    attempt(1, 0, [large]),
    attempt(7, 0, [large]),
    attempt(7, 1, ['second']),
  ])
  t.match(filling, { errorCode: 0 })
  t.match(first, { errorCode: errorCode('NOT_ENOUGH_REPLICAS') }, 'no room for it now')
  t.match(second, { errorCode: errorCode('NOT_ENOUGH_REPLICAS') }, 'there is room, but not its turn')
  t.match(await attempt(7, 0, [large]), { errorCode: 0, baseOffset: 1 })
  t.match(await attempt(7, 1, ['second']), { errorCode: 0, baseOffset: 2 })
  t.match(await attempt(8, 5, ['of an unknown producer any sequence may begin']), {
    errorCode: 0,
    baseOffset: 3,
  })
  await broker.close()
})

t.test('offsets by time and place, and the start that DeleteRecords moves', async (t) => {
  const machine = new Machine()
  let broker = await machine.open({ 'message.timestamp.before.max.ms': '9007199254740991' })
  const none = { errorCode: 0, offset: -1, timestamp: -1, leaderEpoch: -1 }
  t.match(await list(broker, -3), none)
  const at = 1_700_000_000_000
  for (let i = 0; i < 60; i++) {
    await send(broker, -1, batchOf([`v${i}`, 'x'.repeat(50)], { timestamp: at + i * 1000 }))
  }
  const { epoch } = broker.replica
  t.match(await list(broker, -1), { offset: 120, timestamp: -1, leaderEpoch: epoch })
  t.match(await list(broker, -2), { offset: 0, leaderEpoch: epoch })
  t.match(await list(broker, -3), { offset: 118, timestamp: at + 59_000 })
  t.match(await list(broker, at + 20_500), { offset: 42, timestamp: at + 21_000, leaderEpoch: epoch })
  t.match(await list(broker, at + 60_000), none)
  const remove = async (offset: number) =>
    (
      await broker.ask(DeleteRecords, 2, {
        topics: [{ name: 'events', partitions: [{ partitionIndex: 0, offset }] }],
        timeoutMs: 1000,
      })
    )?.topics[0]?.partitions[0]
  t.match(await remove(51), { errorCode: 0, lowWatermark: 51 })
  t.match(await read(broker, 50), { errorCode: errorCode('OFFSET_OUT_OF_RANGE') })
  t.match(await read(broker, 51), { errorCode: 0, logStartOffset: 51 })
  t.match(await list(broker, at), { offset: 51 }, 'what was removed is not found')
  await broker.close()
  broker = await machine.open()
  t.match(await list(broker, -2), { offset: 51 })
  t.match(await remove(-1), { errorCode: 0, lowWatermark: 120 })
  t.match(await list(broker, -2), { offset: 120, leaderEpoch: -1 })
  t.match(await read(broker, 120), { errorCode: 0, highWatermark: 120, values: [] })
  t.match(await send(broker, -1, batchOf(['next'])), { baseOffset: 120 })
  await broker.close()
})

t.test('a disk that fails takes its partition offline, and says so', async (t) => {
  let isBroken = false
  const broker = await new Machine({
    onOperation: ({ kind }) => (isBroken && kind === 'sync' ? { code: 'EIO' } : undefined),
  }).open()
  await send(broker, -1, batchOf(['kept']))
  isBroken = true
  const storage = errorCode('KAFKA_STORAGE_ERROR')
  const waiting = read(broker, 1, { maxWaitMs: 60_000 })
  t.match(await send(broker, -1, batchOf(['lost'])), { errorCode: storage, baseOffset: -1 })
  isBroken = false
  t.match(await send(broker, -1, batchOf(['later'])), { errorCode: storage }, 'not tried again')
  t.match(await send(broker, 1, batchOf(['later'])), { errorCode: storage })
  t.match(await waiting, { errorCode: storage }, 'who waits is told')
  t.match(await list(broker, -1), { errorCode: storage })
})

t.test('the broker stamps the time where the topic says so', async (t) => {
  const broker = await new Machine().open({ 'message.timestamp.type': 'LogAppendTime' })
  const row = await send(
    broker,
    -1,
    batchOf(['a'], { timestamp: 5, producerId: 3, producerEpoch: 0, baseSequence: 0 }),
  )
  const stampedMs = broker.clock.now()
  t.match(row, { errorCode: 0, logAppendTimeMs: stampedMs })
  t.match(await list(broker, stampedMs), { offset: 0, timestamp: stampedMs })
  const { bytes } = await read(broker, 0)
  t.ok(batch.verifyCrc(bytes, 0))
  await broker.clock.advance(5000)
  const again = await send(
    broker,
    -1,
    batchOf(['a'], { timestamp: 5, producerId: 3, producerEpoch: 0, baseSequence: 0 }),
  )
  t.match(again, { baseOffset: 0, logAppendTimeMs: stampedMs }, 'a retry hears the first time')
  await broker.close()
})
