/** Hand-made histories: each class of anomaly when it is there, when it is not, and when nobody can tell (then it is none). */
import type { AnomalyKind } from './history.ts'
import type { Example } from './notation.ts'

const example = (name: string, text: string, ...expected: AnomalyKind[]): Example => ({
  name,
  text,
  expected,
})

export const examples: readonly Example[] = [
  // -- offsets
  example('one record, read', 'p send a @0\nc poll 0:a'),
  example('an empty history', ''),
  example(
    'two polls differ on an offset',
    'p send a @0\np send b @1\nc poll 0:a 1:b\nd poll 0:b',
    'inconsistent-offsets',
    'duplicate',
  ),
  example(
    'what is acknowledged is not what is read',
    'p send a @0\np send b @1\nc poll 0:a\nc seek\nc poll 0:b',
    'inconsistent-offsets',
    'duplicate',
  ),
  example(
    'two acknowledgements of one offset',
    'p send a @0 loose\nq send b @0 loose',
    'inconsistent-offsets',
  ),
  example('an offset of acks=1 was taken over', 'p send a @0 acks=1\npower\np send b @0\nc poll 0:b'),
  example(
    'an unanswered send whose offset is known',
    'p send a @0 info\nq send b @0\nc poll 0:b',
    'inconsistent-offsets',
  ),
  example('a refused send has no offset', 'p send a @0 fail\nq send b @0\nc poll 0:b'),
  example('the same offset in another key', 'p send a @0\np send b @0 key=x\nc poll 0:a\nc poll 0:b key=x'),
  example('stored twice', 'p send a @0\nc poll 0:a 1:a', 'duplicate'),
  example('stored twice without idempotence', 'p send a @0 loose\nc poll 0:a 1:a'),
  example(
    'stored twice, seen by two readers',
    'p send a\np send b @1\nc poll 0:a\nd poll 1:b 2:a',
    'duplicate',
  ),
  example(
    'acknowledged here, read there',
    'p send a @0\np send b @1\nc poll 0:b',
    'inconsistent-offsets',
    'duplicate',
    'lost-write',
  ),
  // -- reads
  example('a value that nobody sent', 'p send a @0\nc poll 0:a 1:x', 'phantom-read'),
  example('a value read before it was sent', 'c poll 0:a\np send a @0', 'phantom-read'),
  example('a value read while it is sent', '[1,9] p send a @0\n[2,3] c poll 0:a'),
  example('a refused value is read', 'p send a fail\nc poll 0:a', 'aborted-read'),
  example('an unanswered value is read', '[1,never] p send a info\n[2,3] c poll 0:a'),
  example('a refused value is not read', 'p send a fail\np send b @0\nc poll 0:b'),
  example('above the high watermark', 'p send a @0\np send b @1\nc poll 0:a 1:b hw=1', 'read-above-hw'),
  example('just below the high watermark', 'p send a @0\np send b @1\nc poll 0:a 1:b hw=2'),
  example('nothing above an empty log', 'c poll hw=0'),
  // -- losses
  example('read past and never read', 'p send a @0\np send b @1\np send c @2\nc poll 0:a 2:c', 'lost-write'),
  example('not read yet', 'p send a @0\np send b @1\nc poll 0:a hw=2'),
  example('a reader that began behind it', 'p send a @0\np send b @1\nc poll 1:b'),
  example(
    'an unanswered send that never came',
    'p send a @0\n[3,never] p send b info\n[5,6] p send c @1\n[7,8] c poll 0:a 1:c',
  ),
  example(
    'lost below the start is not lost',
    'policy ms=0\np send a @0\np send b @1\nc poll 1:b start=1 final',
  ),
  example('gone in the end', 'p send a @0\nc poll hw=0 final', 'unseen'),
  example('the tail is gone in the end', 'p send a @0\np send b @1\nc poll 0:a hw=1 final', 'unseen'),
  example('all there in the end', 'p send a @0\np send b @1\nc poll 0:a 1:b hw=2 final'),
  example('an unanswered one may be gone', 'p send a @0\n[3,never] p send b info\n[5,6] c poll 0:a final'),
  example('acks=0 may be gone', 'p send a @0\np send b acks=0 info\nc poll 0:a final'),
  example('where it went was not told, and it is there', 'p send a\nc poll 0:a final'),
  example('where it went was not told, and it is gone', 'p send a\nc poll hw=0 final', 'unseen'),
  example(
    'where it went was not told, and the log was trimmed',
    'policy ms=0\np send a\np send b @1\nc poll 1:b start=1 final',
  ),
  example('acks=1, gone for nothing', 'p send a @0 acks=1\nc poll hw=0 final', 'ack-contract'),
  example('acks=1, gone after a loss of power', 'p send a @0 acks=1\npower\nc poll hw=0 final'),
  example(
    'acks=1, gone, the power went before',
    'power\np send a @0 acks=1\nc poll hw=0 final',
    'ack-contract',
  ),
  example('acks=1, kept', 'p send a @0 acks=1\npower\nc poll 0:a final'),
  example('acks=all is not excused by a loss of power', 'p send a @0\npower\nc poll hw=0 final', 'unseen'),
  example('not synced by choice, and the power went', 'unsynced\np send a @0\npower\nc poll hw=0 final'),
  example(
    'not synced by choice, and nothing happened',
    'unsynced\np send a @0\nc poll hw=0 final',
    'ack-contract',
  ),
  example(
    'not synced by choice, and replaced',
    'unsynced\np send a @0\nc poll 0:a\npower\np send b @0\nd poll 0:b',
  ),
  example(
    'not synced by choice, and replaced for nothing',
    'unsynced\np send a @0\nc poll 0:a\np send b @0\nd poll 0:b',
    'inconsistent-offsets',
  ),
  example(
    'the start is not told, and was raised',
    'policy ms=0\np send a @0\np send b @1\np send c @2\nd poll 0:a 1:b\nc poll 0:a start=-1\ne poll 2:c start=2\nc poll 2:c start=-1',
  ),
  // -- polls
  example(
    'a poll skips',
    'p send a @0\np send b @1\np send c @2\nc poll 0:a\nc poll 2:c\nd poll 1:b',
    'poll-skip',
  ),
  example(
    'a poll goes back',
    'p send a @0\np send b @1\nc poll 0:a 1:b\nc poll 0:a hw=2',
    'nonmonotonic-poll',
  ),
  example('a poll repeats', 'p send a @0\nc poll 0:a\nc poll 0:a', 'nonmonotonic-poll'),
  example('a poll goes on', 'p send a @0\np send b @1\nc poll 0:a\nc poll 1:b'),
  example('a poll goes back after a seek', 'p send a @0\nc poll 0:a\nc seek\nc poll 0:a'),
  example('another process reads from the beginning', 'p send a @0\nc poll 0:a\nd poll 0:a'),
  example('an unanswered poll moves nobody', 'p send a @0\nc poll 0:a info\nc poll 0:a'),
  example(
    'what is skipped was trimmed',
    'policy ms=0\np send a @0\np send b @1\np send c @2\nc poll 0:a 1:b\nd poll 0:a\nd poll 2:c start=2',
  ),
  example('a hole that nobody has read is no skip', 'p send a @0\np send c @2\nc poll 0:a\nc poll 2:c'),
  example(
    'a poll skips inside',
    'p send a @0\np send b @1\np send c @2\nc poll 0:a 2:c\nd poll 1:b',
    'int-poll-skip',
  ),
  example(
    'a poll goes back inside',
    'p send a @0\np send b @1\nc poll 1:b 0:a hw=2',
    'int-nonmonotonic-poll',
  ),
  // -- sends
  example('sends in order', 'p send a @0\np send b @1\np send c @5'),
  example('sends of one process change places', '[1,8] p send a @1\n[2,9] p send b @0', 'nonmonotonic-send'),
  example('so they may without a promise', '[1,8] p send a @1 loose\n[2,9] p send b @0 loose'),
  example('sends of two processes overlap', '[1,8] p send a @1\n[2,9] q send b @0'),
  example('sent after another was acknowledged, lies before', 'p send a @1\nq send b @0', 'realtime-order'),
  example('an unanswered one has no place in the order', 'p send a @1\nq send b @0 info'),
  example('overlaps all, lies first', '[1,20] q send b @0\n[2,3] p send a @1\n[4,5] p send c @2'),
  // -- watermarks
  example('the high watermark falls', 'p send a @0\nc poll 0:a hw=1\nc poll hw=0', 'hw-regress'),
  example('another reader is told less', 'c poll hw=5\nd poll hw=4'),
  example('two polls of one reader overlap', '[1,9] c poll hw=5\n[2,8] c poll hw=4'),
  example('the start falls', 'policy ms=0\nc poll hw=9 start=3\nc poll hw=9 start=2', 'hw-regress'),
  example(
    'ListOffsets falls behind a Fetch',
    'p send a @0\nc poll 0:a hw=1\nc latest 0',
    'hw-regress',
    'stale-hw',
  ),
  example('where nothing is synced the end may fall', 'unsynced\nc poll hw=5\npower\nc poll hw=3'),
  example('the end does not know what is acknowledged', 'p send a @0\nc latest 0', 'stale-hw'),
  example('the end knows it', 'p send a @0\nc latest 1'),
  example('the end is asked for meanwhile', '[1,5] p send a @0\n[2,3] c latest 0'),
  example('the end of acks=1 may follow later', 'p send a @0 acks=1\nc latest 0'),
  // -- holes
  example('a hole in the end', 'p send a @0\np send c @2\nc poll 0:a 2:c final', 'offset-hole'),
  example('the last one cannot be read', 'p send a @0\nc poll 0:a hw=2 final', 'offset-hole'),
  example('dense in several polls', 'p send a @0\np send b @1\nc poll 0:a hw=2 final\nc poll 1:b hw=2 final'),
  example('dense from the start on', 'policy ms=0\np send a @0\np send b @1\nc poll 1:b start=1 hw=2 final'),
  // -- commits
  example('committed, fetched', 'g commit 5\ng committed 5'),
  example('committed, forgotten', 'g commit 5\ng committed -1', 'commit-regress'),
  example('nothing committed', 'g committed -1'),
  example('an older one comes back', 'g commit 5\ng commit 6\ng committed 5', 'commit-regress'),
  example('a commit may go back', 'g commit 6\ng commit 5\ng committed 5'),
  example('never committed', 'g commit 5\ng committed 7', 'commit-regress'),
  example('a refused commit shows', 'g commit 5\ng commit 7 fail\ng committed 7', 'commit-regress'),
  example('an unanswered commit shows', 'g commit 5\n[5,never] g commit 7 info\n[7,8] g committed 7'),
  example('an unanswered commit does not show', 'g commit 5\n[5,never] g commit 7 info\n[7,8] g committed 5'),
  example(
    'an unanswered commit shows late',
    'g commit 5\n[3,never] g commit 7 info\n[7,8] g commit 8\n[9,10] g committed 7',
  ),
  example(
    'it showed, and is gone again',
    'g commit 5\n[3,never] g commit 7 info\n[7,8] g committed 7\n[9,10] g committed 5',
    'commit-regress',
  ),
  example(
    'a fetch meanwhile sees either',
    'g commit 5\n[3,9] g commit 6\n[4,5] g committed 5\n[6,7] g committed 6',
  ),
  example('groups do not share', 'g commit 5\nh committed -1'),
  // -- retention
  example('a start that nothing allows', 'c poll hw=5 start=2', 'retention-legal'),
  example('a start that was asked for', 'c trim 2\nc poll hw=5 start=2'),
  example('a start beyond what was asked for', 'c trim 2\nc poll hw=5 start=3', 'retention-legal'),
  example('asked for later', 'c poll hw=5 start=2\nc trim 2', 'retention-legal'),
  example('a trim without an answer', '[1,never] c trim 2 info\n[3,4] c poll hw=5 start=2'),
  example('old enough', 'policy ms=300\np send a @0\n[9,10] p send b @1\n[11,12] c poll 1:b start=1'),
  example(
    'not old enough',
    'policy ms=5000\np send a @0\n[9,10] p send b @1\n[11,12] c poll 1:b start=1',
    'retention-legal',
  ),
  example(
    'old enough by a clock that jumped',
    'policy ms=5000 jumped=9000\np send a @0\n[9,10] p send b @1\n[11,12] c poll 1:b start=1',
  ),
  example('large enough', 'policy bytes=10 record=10\np send a @0\np send b @1\nc poll 1:b start=1'),
  example(
    'not large enough',
    'policy bytes=30 record=10\np send a @0\np send b @1\nc poll 1:b start=1',
    'retention-legal',
  ),
  example('ListOffsets tells the same', 'c earliest 4', 'retention-legal'),
  example('a start above the high watermark', 'c trim 9\nc poll hw=5 start=6', 'retention-legal'),
  // -- copies
  example('copies are equal', 'copy n 0:a 1:b hw=2\ncopy m 0:a 1:b hw=2'),
  example('copies differ', 'copy n 0:a 1:b hw=2\ncopy m 0:a 1:x hw=2', 'replica-equal'),
  example('copies differ above the high watermark', 'copy n 0:a 1:b hw=2\ncopy m 0:a 1:x hw=1'),
  example('a copy begins later', 'copy n 0:a 1:b hw=2\ncopy m 1:b start=1 hw=2'),
  example('a copy lacks what the other has', 'copy n 0:a 1:b hw=2\ncopy m 0:a hw=2', 'replica-equal'),
]
