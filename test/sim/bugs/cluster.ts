/** Bugs that only a cluster can have: changes of a few words each. */
import { type Bug, edit } from './bug.ts'
import { chainBugs } from './chains.ts'
import {
  darkness,
  every,
  hits,
  hunts,
  images,
  of,
  orphans,
  relay,
  reshuffled,
  storm,
  three,
} from './storms.ts'

const isRead = 'const position = reached(this.#state.membership,'

export const clusterBugs: readonly Bug[] = [
  {
    name: 'a vote is not written down',
    seed: 0,
    aim: three(...orphans),
    edits: [edit('replica/ballot-file', 'await this.#slots.store(value)', 'void value')],
  },
  {
    name: 'a vote leaves before it is durable',
    seed: 1,
    aim: (plan) => ({ ...three(...hunts('orphan'))(plan), syncMaxMs: 60 }),
    edits: [
      edit(
        'replica/ballot-file',
        'await this.#slots.store(value)',
        'void this.#slots.store(value).catch(() => {})',
      ),
    ],
  },
  {
    name: 'a vote is given twice',
    seed: 3,
    aim: storm(5, darkness),
    edits: [
      edit('raft/raft', 'state.votedFor === from ||', 'true ||'),
      edit('raft/state', 'this.#votedFor === -1 || this.#votedFor === candidate', 'true'),
    ],
  },
  {
    name: 'a vote does not ask how new the log is',
    seed: 0,
    aim: three(...relay),
    edits: [edit('raft/raft', 'request.lastEpoch > state.extents.lastEpoch ||', 'true ||')],
  },
  {
    name: 'a vote looks at the length of the log only',
    seed: 2,
    aim: three(...relay),
    edits: [
      edit('raft/raft', 'request.lastEpoch > state.extents.lastEpoch ||', ''),
      edit('raft/raft', 'request.lastEpoch === state.extents.lastEpoch &&', ''),
    ],
  },
  {
    name: 'a refused vote counts',
    seed: 0,
    aim: storm(5, darkness),
    edits: [edit('raft/candidate', 'this.#answers.set(from, granted)', 'this.#answers.set(from, true)')],
  },
  {
    name: 'half of the voters are a majority',
    seed: 0,
    aim: of(4),
    edits: [edit('raft/quorum', '(count >>> 1) + 1', '(count + 1) >>> 1')],
  },
  {
    name: 'observers are counted',
    seed: 2,
    aim: (plan) => ({ ...of(5)(plan), voters: [1, 2, 3] }),
    edits: [
      edit(
        'raft/leader',
        isRead,
        isRead.replace('this.#state.membership', '{ voters: [...this.#state.membership.voters, ...this.observers], outgoing: [] }'), // biome-ignore format: one edit
      ),
    ],
  },
  {
    name: 'a follower acknowledges what it has not synced',
    seed: 0,
    edits: [
      edit(
        'raft/follower',
        'return Math.min(this.#verified, this.#state.extents.durable)',
        'return this.#verified',
      ),
    ],
  },
  {
    name: 'a leader counts what it has not synced',
    seed: 0,
    edits: [edit('raft/replication', 'return extents.durable', 'return extents.end')],
  },
  {
    name: 'all that a follower has it calls the same as the leader has',
    seed: 0,
    aim: three(...hunts('isolate', 500, 60)),
    edits: [
      edit(
        'raft/follower',
        'return Math.min(this.#verified, this.#state.extents.durable)',
        'return this.#state.extents.durable',
      ),
    ],
  },
  {
    name: 'the high watermark of a leader is taken as it comes',
    seed: 0,
    aim: three(...hunts('isolate', 500, 60)),
    edits: [
      edit(
        'raft/follower',
        'Math.min(this.#leaderHighWatermark, this.#durable())',
        'Math.min(this.#leaderHighWatermark, this.#state.extents.end)',
      ),
    ],
  },
  {
    name: 'an append is taken wherever it fits',
    seed: 2,
    aim: three(...relay),
    edits: [
      edit(
        'raft/follower',
        'return position <= extents.end && extents.epochBefore(position) === epoch',
        'return position <= extents.end',
      ),
    ],
  },
  {
    name: 'a leader that nobody hears goes on',
    seed: 0,
    aim: three(
      ...every(900, (atMs) => ({
        kind: 'cut',
        atMs,
        links: [
          [1, 2],
          [2, 1],
          [1, 3],
          [3, 1],
        ],
        forMs: 700,
      })),
    ),
    edits: [
      edit('raft/leader', 'nowMs - this.#heartbeats.contactMs(nowMs) >= settings.electionTimeoutMs', 'false'),
    ],
  },
  {
    name: 'old and new voters are counted as one',
    seed: 0,
    aim: reshuffled,
    edits: [
      edit(
        'raft/quorum',
        'return outgoing.length === 0 ? value : Math.min(value, reachedBy(outgoing, of))',
        'return outgoing.length === 0 ? value : reachedBy([...new Set([...voters, ...outgoing])], of)',
      ),
      edit('raft/quorum', 'const outcome = tallyOf(voters, answers)', 'return tallyOf([...new Set([...voters, ...outgoing])], answers); const outcome = null'), // biome-ignore format: one edit
    ],
  },
  {
    name: 'a wiped disk is taken for what it was',
    seed: 0,
    aim: three(...every(500, (atMs) => ({ kind: 'wipe', atMs, node: ((atMs / 500) % 3) + 1, forMs: 400 }))),
    edits: [
      edit('replica/identities', '(this.#promised.get(peer) ?? disk) !== disk', 'false'),
      edit('peers/acquaintances', 'known !== null && known !== diskId', 'false'),
      edit('machines/cluster/brokers', 'known !== undefined && known.diskId !== diskId', 'false'),
      edit('raft/replication', 'said.from <= progress.durableBefore', 'false'),
    ],
  },
  {
    name: 'who waits is not told that leadership is lost',
    seed: 0,
    aim: three(...hits('isolate')),
    edits: [edit('replica/member', 'if (hasLost)', 'if (false)')],
  },
  {
    name: 'a coordinator serves before it has read what others decided',
    seed: 0,
    aim: three(...hits('kill')),
    edits: [
      edit(
        'replica/executor',
        'this.#state.applied < highWatermark',
        'this.#state.applied < highWatermark && !isReady',
      ),
      edit('replica/executor', 'isReady && this.#state.applied >= log.end', 'isReady'),
    ],
  },
  {
    name: 'a log begins anew without its voters',
    seed: 0,
    aim: images,
    edits: [edit('replica/loop', 'voters: mark,', 'voters: { ...mark, voters: [] },')],
  },
  {
    name: 'a log begins anew without its image',
    seed: 0,
    aim: images,
    edits: [edit('replica/loop', 'if (isMachines)', 'if (false)')],
  },
  ...chainBugs,
]
