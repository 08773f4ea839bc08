/**
 * Which disk each voter of a quorum promised with. One that comes back under its old id with another disk has forgotten its promises:
 * it is a stranger, who gets the log and does not count, until the voters are changed twice: without it, and with it again.
 */
import type { Log, Mark } from '../log/log.ts'

type VotersMark = Extract<Mark, { kind: 'voters' }>

export class Identities {
  /** As the newest mark of voters has them, or whoever opened the quorum. Unknown ones are missing. */
  #promised: Map<number, string>
  readonly #present: ReadonlyMap<number, string>
  readonly #strangers = new Set<number>()

  /** `present`: the disk that each peer, and this broker itself, has now; shared by all quorums. */
  constructor(promised: ReadonlyMap<number, string>, present: ReadonlyMap<number, string>) {
    this.#promised = new Map(promised)
    this.#present = present
  }

  /** The newest mark of voters in the log is the truth, if there is one. */
  adopt(log: Log): void {
    const newest = log.marks(0, log.endPosition).findLast(({ mark }) => mark.kind === 'voters')?.mark
    if (newest?.kind !== 'voters') return
    const ids = [...newest.voters, ...newest.outgoing]
    const promised = ids.map((id, index): [number, string] => [id, newest.disks[index] ?? ''])
    this.#promised = new Map(promised.filter(([, disk]) => disk !== ''))
  }

  /** For a mark of voters: what is known stays, newcomers are written down as they are. */
  disksOf({ voters, outgoing }: Pick<VotersMark, 'voters' | 'outgoing'>): string[] {
    return [...voters, ...outgoing].map((id) => this.#promised.get(id) ?? this.#present.get(id) ?? '')
  }

  /** Who has become a stranger since the last call, and who is none any more. */
  changes(): { peer: number; isStranger: boolean }[] {
    const changes: { peer: number; isStranger: boolean }[] = []
    for (const [peer, disk] of this.#present) {
      const isStranger = (this.#promised.get(peer) ?? disk) !== disk
      if (isStranger === this.#strangers.has(peer)) continue
      if (isStranger) this.#strangers.add(peer)
      else this.#strangers.delete(peer)
      changes.push({ peer, isStranger })
    }
    return changes
  }
}
