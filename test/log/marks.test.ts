/** Offsets, positions and epochs: what consensus and KIP-320 ask of the journal. */
import t from 'tap'
import { decodeFrame, encodeFrame, type Frame } from '../../src/log/journal-format.ts'
import type { Mark } from '../../src/log/log.ts'
import { Marks } from '../../src/log/marks.ts'
import { append, Bench, flush, folder, startEpoch } from './fixture.ts'

/** The drawing at the head of log.ts: E r r r E r r S V r. */
function drawn(): Marks {
  const marks = new Marks({ offset: 0, position: 0, epoch: 0, start: 0 })
  const add = (mark: Mark, offset: number, position: number, epoch: number): void =>
    marks.append({ mark, offset, position, epoch })
  add({ kind: 'epochStart', leaderId: 1 }, 0, 0, 1)
  add({ kind: 'epochStart', leaderId: 2 }, 3, 4, 3)
  add({ kind: 'logStart', offset: 2 }, 5, 7, 3)
  add({ kind: 'voters', voters: [1, 2, 3], outgoing: [], disks: [] }, 5, 8, 3)
  return marks
}

const range = (end: number): number[] => Array.from({ length: end }, (_, i) => i)

t.test('offsets and positions, there and back', async (t) => {
  const marks = drawn()
  t.same(
    range(6).map((offset) => marks.positionOf(offset)),
    [1, 2, 3, 5, 6, 9],
  )
  t.same(
    range(11).map((position) => marks.offsetAt(position)),
    [0, 0, 1, 2, 3, 3, 4, 5, 5, 5, 6],
  )
  t.same(
    range(11).map((position) => marks.epochBefore(position)),
    [0, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3],
  )
  t.same(
    range(6).map((offset) => marks.epochOf(offset)),
    [1, 1, 1, 3, 3, 3],
  )
  t.same(
    marks.between(4, 8).map(({ position }) => position),
    [4, 7],
  )
  t.equal(marks.lastEpoch, 3)
})

t.test('a raise of the base changes nothing above it, and keeps what that depends on', async (t) => {
  for (let start = 0; start <= 6; start++) {
    const marks = drawn()
    const whole = drawn()
    marks.raise(start, start)
    const { position, offset } = marks.base
    t.equal(offset, start)
    t.equal(position, start === 0 ? 0 : whole.positionOf(start - 1) + 1, 'marks at the start stay above it')
    for (let at = position; at <= 10; at++) {
      t.equal(marks.offsetAt(at), whole.offsetAt(at), `offset at ${at} from ${start}`)
      t.equal(marks.epochBefore(at), whole.epochBefore(at), `epoch before ${at} from ${start}`)
    }
    for (let at = start; at < 6; at++) {
      t.equal(marks.positionOf(at), whole.positionOf(at), `position of ${at} from ${start}`)
      t.equal(marks.epochOf(at), whole.epochOf(at))
    }
    t.same(marks.between(position, 99), whole.between(position, 99))
  }
  const marks = drawn()
  marks.raise(6, 6)
  t.match(marks.list, [
    { mark: { kind: 'epochStart' }, epoch: 3 },
    { mark: { kind: 'voters', voters: [1, 2, 3] } },
  ])
  t.equal(marks.epochOf(2), -1, 'below what is known')
  t.equal(marks.epochOf(4), 3)
  t.equal(marks.lastEpoch, 3)
})

t.test(
  'a start inside a batch: the base stays where the batch begins, and with it what consensus asks',
  async (t) => {
    const marks = drawn()
    const whole = drawn()
    marks.raise(4, 3)
    t.same(marks.base, { offset: 3, position: 4, epoch: 1, start: 4 }, 'offsets 3 and 4 came as one batch')
    t.same(marks.between(4, 99), whole.between(4, 99))
    for (let at = 4; at <= 10; at++) {
      t.equal(marks.offsetAt(at), whole.offsetAt(at))
      t.equal(marks.epochBefore(at), whole.epochBefore(at))
    }
    t.equal(marks.epochOf(3), 3)
    t.same(marks.epochEnd(1, 6), { epoch: 1, endOffset: 4 }, 'users hear of nothing below the start')
    marks.raise(3, 3)
    t.equal(marks.start, 4, 'it never goes back')
    marks.raise(5, 5)
    t.same(marks.base, { offset: 5, position: 7, epoch: 3, start: 5 })
  },
)

t.test('the bytes of a journal', async (t) => {
  const place = { offset: 90, position: 97, epoch: 3 }
  const disks = ['', '11111111-2222-4333-8444-555555555555']
  const golden: [string, Frame][] = [
    [
      '0000001d 4e16f227 00 000000000000005a 0000000000000061 00000003 000000000000005b',
      { kind: 'base', base: { ...place, start: 91 } },
    ],
    ['00000009 f687baf1 04 0000000000000061', { kind: 'cut', position: 97 }],
    [
      '00000019 4c349b03 01 000000000000005a 0000000000000061 00000003 00000002',
      { kind: 'mark', placed: { ...place, mark: { kind: 'epochStart', leaderId: 2 } } },
    ],
    [
      '0000001d 5396d9b9 03 000000000000005a 0000000000000061 00000003 000000000000005b',
      { kind: 'mark', placed: { ...place, mark: { kind: 'logStart', offset: 91 } } },
    ],
    [
      `00000043 0b7db644 02 000000000000005a 0000000000000061 00000003 0001 00000001 0001 00000002
        0002 00000000000000000000000000000000 11111111222243338444555555555555`,
      { kind: 'mark', placed: { ...place, mark: { kind: 'voters', voters: [1], outgoing: [2], disks } } },
    ],
  ]
  for (const [hex, frame] of golden) {
    const bytes = encodeFrame(frame)
    t.equal(bytes.toString('hex'), hex.replace(/\s/g, ''), frame.kind)
    t.same(decodeFrame(bytes, 0), { frame, next: bytes.length }, frame.kind)
    t.equal(decodeFrame(bytes.subarray(0, -1), 0), null, 'torn')
  }
})

t.test('where an epoch ended (KIP-320)', async (t) => {
  const marks = drawn()
  t.same(marks.epochEnd(3, 6), { epoch: 3, endOffset: 6 }, 'the newest ends with the log')
  t.same(marks.epochEnd(1, 6), { epoch: 1, endOffset: 3 })
  t.same(marks.epochEnd(2, 6), { epoch: 1, endOffset: 3 }, 'unknown in between: the largest below it')
  t.same(
    marks.epochEnd(0, 6),
    { epoch: 0, endOffset: 0 },
    'below the first: that one, and where the first begins',
  )
  t.same(marks.epochEnd(4, 6), { epoch: -1, endOffset: -1 }, 'above the newest: unknown')
  t.same(marks.epochEnd(-1, 6), { epoch: -1, endOffset: -1 })
  marks.append({ mark: { kind: 'epochStart', leaderId: 1 }, offset: 6, position: 10, epoch: 5 })
  marks.append({ mark: { kind: 'epochStart', leaderId: 1 }, offset: 6, position: 11, epoch: 6 })
  t.same(
    marks.epochEnd(5, 6),
    { epoch: 3, endOffset: 6 },
    'an epoch without a record is none, unless it is the newest',
  )
  t.same(marks.epochEnd(6, 6), { epoch: 6, endOffset: 6 })
  marks.raise(5, 5)
  t.same(marks.epochEnd(1, 6), { epoch: 1, endOffset: 5 }, 'never below the start of the log')
  t.same(marks.epochEnd(3, 6), { epoch: 3, endOffset: 6 })
  marks.raise(6, 6)
  t.same(marks.epochEnd(3, 6), { epoch: 3, endOffset: 6 })
})

t.test('an emptied log still knows its epoch and its voters, after a restart too', async (t) => {
  const bench = new Bench()
  let log = await bench.open()
  const disks = ['', '11111111-2222-4333-8444-555555555555', '', '']
  startEpoch(log, 4)
  log.appendMark({ kind: 'voters', voters: [1, 5], outgoing: [1, 2], disks }, 4)
  for (let i = 0; i < 20; i++) append(log, { count: 2 })
  await flush(log)
  await log.raiseStart(40)
  for (const how of ['now', 'after a restart'] as const) {
    if (how === 'after a restart') {
      bench.losePower()
      log = await bench.open()
    }
    t.match(log, { start: 40, end: 40, endPosition: 42, lastEpoch: 4, segments: [] }, how)
    t.equal(log.epochBefore(42), 4, how)
    t.match(log.marks(0, 99).at(-1)?.mark, { kind: 'voters', voters: [1, 5], outgoing: [1, 2], disks }, how)
  }
  append(log)
  await flush(log)
  t.equal(log.positionOf(40), 42)
  t.same(
    bench.mount.list(folder).filter((name) => name.endsWith('.log')),
    ['00000000000000000040.log'],
  )
})

t.test('the journal does not grow with the history', async (t) => {
  const bench = new Bench()
  const log = await bench.open()
  startEpoch(log)
  for (let i = 0; i < 400; i++) {
    append(log)
    log.appendMark({ kind: 'logStart', offset: log.end - 1 }, 1)
    if (i % 20 !== 19) continue
    await flush(log)
    await log.raiseStart(log.end - 1)
  }
  t.ok((bench.mount.stat(`${folder}/journal`)?.size ?? 0) < 8192)
  t.equal(log.endPosition, 801)
  await log.close()
  t.equal((await bench.open()).endPosition, 801)
})

t.test('what must not happen is noticed where it happens', async (t) => {
  const bench = new Bench()
  const log = await bench.open()
  t.throws(() => append(log, { count: 1 }) && startEpoch(log, 0), /epochs grow/)
  startEpoch(log, 2)
  t.throws(() => startEpoch(log, 2), /epochs grow/)
  t.throws(() => log.appendMark({ kind: 'voters', voters: [], outgoing: [], disks: [] }, 1), /epochs grow/)
  const other = await new Bench().open()
  startEpoch(other, 1)
  t.throws(() => log.append(append(other)), /end of the log|epoch/)
  t.throws(() => log.truncate(99), /truncation lies in the log/)
  await t.rejects(log.raiseStart(99), /starts in the log/)
})
