/** Bugs that one broker by itself can have. */
import { Refused } from '../../../src/base/errors.ts'
import { ProducerIds } from '../../../src/broker/producer-ids.ts'
import { Retention } from '../../../src/broker/retention.ts'
import { Barrier } from '../../../src/log/barrier.ts'
import { Durability } from '../../../src/log/durability.ts'
import { ImageFiles } from '../../../src/log/images.ts'
import { Journal } from '../../../src/log/journal.ts'
import { LogReader } from '../../../src/log/log-reader.ts'
import { LogWriter } from '../../../src/log/log-writer.ts'
import { ProducerSnapshots } from '../../../src/log/producer-snapshots.ts'
import { Producers } from '../../../src/log/producers.ts'
import { Segment } from '../../../src/log/segment.ts'
import { Member } from '../../../src/replica/member.ts'
import { type OnSettled, Waiters } from '../../../src/replica/waiters.ts'
import type { Fault } from '../faults.ts'
import type { Bug } from './bug.ts'
import { getter, method, together } from './patch.ts'

const every = (fault: (atMs: number) => Fault): readonly Fault[] =>
  [500, 1000, 1500, 2000, 2500, 3000].map(fault)
const node = 1
const failedSyncs = every((atMs) => ({ kind: 'failSync', atMs, node, restartMs: 50 }))
const powerCuts = every((atMs) => ({ kind: 'losePowerAt', atMs, node, operations: 3, downMs: 30 }))
const kills = every((atMs) => ({ kind: 'kill', atMs, node, downMs: 20 }))

export const oneBrokerBugs: readonly Bug[] = [
  {
    name: 'acknowledged when written, not when synced',
    seed: 0,
    plant: getter(LogWriter.prototype, 'durablePosition', function () {
      return this.writtenPosition
    }),
  },
  {
    name: 'acknowledged when it has its place, before it is written',
    seed: 0,
    faults: powerCuts,
    plant: method(
      Member.prototype,
      'onCommitted',
      (original) =>
        function (end: number, epoch: number, callback: OnSettled) {
          if (end <= this.log.end) callback(null)
          else original.call(this, end, epoch, callback)
        },
    ),
  },
  {
    name: 'who waits is told one record too early',
    seed: 2,
    faults: powerCuts,
    plant: method(
      Waiters.prototype,
      'release',
      (original) =>
        function (highWatermark: number) {
          original.call(this, highWatermark + 3)
        },
    ),
  },
  {
    name: 'a refusal is taken for an acknowledgement',
    seed: 1,
    faults: failedSyncs,
    plant: method(
      Waiters.prototype,
      'refuse',
      (original) =>
        function () {
          this.release(Number.MAX_SAFE_INTEGER)
          original.call(this, new Refused('REQUEST_TIMED_OUT'))
        },
    ),
  },
  {
    name: 'readers see what is written and not committed',
    seed: 1,
    faults: powerCuts,
    plant: getter(Member.prototype, 'highWatermark', function () {
      return this.log.offsetAt(this.log.writtenPosition)
    }),
  },
  {
    name: 'a fetch reads above the high watermark',
    seed: 1,
    faults: powerCuts,
    plant: method(
      LogReader.prototype,
      'read',
      (original) =>
        function (offset: number, limits: Limits) {
          return original.call(this, offset, { ...limits, boundOffset: Number.MAX_SAFE_INTEGER })
        },
    ),
  },
  {
    name: 'repeated batches are not recognised',
    seed: 0,
    faults: kills,
    plant: method(Producers.prototype, 'check', () => () => 'append'),
  },
  {
    name: 'producers are forgotten at a restart',
    seed: 2,
    faults: kills,
    plant: together(
      method(Producers.prototype, 'restore', () => () => {}),
      method(
        ProducerSnapshots.prototype,
        'newest',
        (original) =>
          function (offset, epochBefore) {
            const found = original.call(this, offset, epochBefore)
            return found === null ? null : { ...found, entries: [] }
          },
      ),
    ),
  },
  {
    name: 'producer ids are given twice',
    seed: 5,
    plant: method(ProducerIds.prototype, 'next', () => async () => 7),
  },
  {
    name: 'the barrier is ahead of what is durable',
    seed: 0,
    plant: method(
      Barrier.prototype,
      'write',
      (original) =>
        function (durable: { offset: number; position: number }) {
          original.call(this, { offset: durable.offset + 20, position: durable.position + 20 })
        },
    ),
  },
  {
    name: 'a failed sync is tried again',
    seed: 0,
    faults: failedSyncs,
    plant: method(
      Durability.prototype,
      'sync',
      (original) =>
        async function (written) {
          try {
            return await original.call(this, written)
          } catch {
            return await original.call(this, written)
          }
        },
    ),
  },
  {
    name: 'folders are not synced',
    seed: 0,
    faults: powerCuts,
    plant: method(Durability.prototype, 'syncFolder', () => async () => {}),
  },
  {
    name: 'the journal is not synced',
    seed: 0,
    faults: powerCuts,
    plant: method(Journal.prototype, 'sync', () => async () => {}),
  },
  {
    name: 'records go before the decision is durable',
    seed: 2,
    faults: powerCuts,
    plant: () => {
      let raising = 0
      return together(
        method(
          LogWriter.prototype,
          'raiseStart',
          (original) =>
            async function (offset: number) {
              raising++
              await original.call(this, offset).finally(() => raising--)
            },
        ),
        getter(Journal.prototype, 'isDirty', (original) => raising === 0 && original()),
        getter(Journal.prototype, 'isWorthRewriting', (original) => raising === 0 && original()),
      )()
    },
  },
  {
    name: 'retention takes one record too many',
    seed: 2,
    // By age, in small segments, looked at often: what is too much is young.
    aim: (plan) => ({
      ...plan,
      topics: plan.topics.map((topic) => ({
        ...topic,
        configs: {
          ...topic.configs,
          'retention.ms': '300',
          'retention.bytes': '-1',
          'segment.bytes': '1024',
        },
      })),
      settings: { ...plan.settings, 'log.retention.check.interval.ms': '50' },
    }),
    plant: method(
      Member.prototype,
      'raiseStart',
      (original) =>
        function (offset: number) {
          return original.call(this, Math.min(offset + 2, this.highWatermark))
        },
    ),
  },
  {
    name: 'served before the start of the own epoch is committed',
    seed: 1,
    faults: kills,
    plant: getter(Member.prototype, 'isReady', function () {
      return this.role === 'leader'
    }),
  },
  {
    name: 'the index points one batch too far',
    seed: 0,
    faults: powerCuts,
    plant: method(
      Segment.prototype,
      'floorOfOffset',
      (original) =>
        function (offset: number) {
          return original.call(this, Math.min(this.endOffset - 1, offset + 1))
        },
    ),
  },
  {
    name: 'an image is not durable when the log below it goes',
    seed: 1,
    faults: powerCuts,
    plant: method(ImageFiles.prototype, 'write', () => async () => {}),
  },
  {
    name: 'retention never rests',
    seed: 0,
    plant: method(Retention.prototype, 'stop', () => async () => {}),
  },
]

type Limits = { boundOffset: number; maxBytes: number; minOne: boolean }
