/**
 * A conversation is a text: lines that begin with `> ` are said to the quorum, the lines below are what followed, `#` is for
 * the reader. Nothing happens by itself: syncs end, ballots become durable and messages arrive when the text says so.
 *
 *     > members 1 2 3              a new quorum, every log empty, epoch 0
 *     > members 1 2 3 epoch 8      the same, all having seen epoch 8
 *     > members 1 2 3 and 4 5      4 and 5 are there too, and no voters
 *     > log 2: 1 1 4               before anything else: member 2 holds units of these epochs (durable), as in figure 7
 *     > campaign 1                 as if its election timer had fired
 *     > propose 1: a b*3           the leader takes a batch of one record and one of three
 *     > tick 150                   time passes for all; `tick 150: 2` for some
 *     > sync 1                     the log of 1 becomes durable; `sync begin 1`, `sync end 1` for its two ends
 *     > ballot 1                   the ballot of 1 becomes durable
 *     > deliver 1->2               the oldest message on that link arrives; `deliver 1->2 all`
 *     > repeat 1->2                the oldest message on that link arrives once more, behind the others
 *     > drop 1->2                  all that is under way on that link is lost
 *     > cut 1->2                   that link loses everything from now on; `cut 1` both ways, everybody; `heal` for all
 *     > lost 1->2                  1 is told that its connection to 2 broke
 *     > transfer 1->2              the leader is told to hand over
 *     > confirm 1: 7               the leader is asked, as question 7, whether it still leads
 *     > pulses 1 2 3               pulses go between these brokers from now on; the session of member 2 is 20, then 21, ...
 *     > unwell 1: 2 heard 300      1 does not hear the pulses of 2 any more, and last did at 300; `well 1: 2`: it does again
 *     > gone 1: 2                  1 hears that nobody listens where 2 did
 *     > renounced 1                the session of 1 is over, and it tells its members
 *     > voters 1: 2 3 4            the leader is told who is to vote; `abandon 1` gives it up
 *     > observers 1: 5             the leader is told who else receives the log
 *     > trim 1: 5                  1 forgets what lies below position 5; an image stands for it
 *     > install 3                  the image that 3 has as a whole is in the place of its log, durably
 *     > forgetful                  no disk is synced from now on, by choice: what was committed may be gone
 *     > wiped 3                    3 comes back with an empty disk; `stranger 1: 3`: 1 hears that it is another disk
 *     > crash 3                    3 loses what was not durable, and what it was sending, and is down; `restart 3`
 *     > chunk 2                    so many entries at most in one append, for members that start from now on
 *     > settle                     disks and links work until nothing is left to do; `settle 1 2`: only these disks
 *     > quietly settle             the same, untold
 *     > status                     what everybody is and holds
 */
import assert from 'node:assert/strict'
import type { Message } from '../../src/raft/message.ts'
import { describeMembership, describeMessage } from './describe.ts'
import { type Disk, describeEntries, type Entry, endOf, Member } from './member.ts'

const settings = {
  electionTimeoutMs: 1000,
  heartbeatMs: 100,
  appendBytesMax: 1000,
  inflightBytesMax: 1000,
  inflightAppendsMax: 4,
}

type OnLink = { from: number; to: number; message: Message<readonly Entry[]> }

export class Conversation {
  readonly #disks = new Map<number, Disk>()
  readonly #members = new Map<number, Member>()
  readonly #links = new Map<string, OnLink[]>()
  readonly #cut = new Set<string>()
  readonly #sessions = new Map<number, { session: number; well: Set<number> }>()
  #ids: number[] = []
  #voters: number[] = []
  #nowMs = 0
  #isForgetful = false
  #appendEntriesMax = 100
  #told: string[] = []
  #isQuiet = false

  /** Says one line; returns what followed. */
  say(line: string): string[] {
    this.#told = []
    const [, quietly, verb, rest] = /^(quietly )?(\w+) ?(.*)$/.exec(line) ?? []
    assert.ok(verb !== undefined && rest !== undefined, `not understood: ${line}`)
    this.#isQuiet = quietly !== undefined
    this.#do(verb, rest)
    this.#isQuiet = false
    return this.#told
  }

  #do(verb: string, rest: string): void {
    const numbers = (rest.match(/\d+/g) ?? []).map(Number)
    const [first = 0, second = 0] = numbers
    switch (verb) {
      case 'members': {
        const [ids = '', epoch = '0'] = rest.split(' epoch ')
        const [voters = '', others = ''] = ids.split(' and ')
        this.#voters = voters.split(' ').map(Number)
        this.#ids = [...this.#voters, ...(others.match(/\d+/g) ?? []).map(Number)]
        this.#nowMs = 0
        this.#links.clear()
        this.#cut.clear()
        this.#sessions.clear()
        this.#members.clear()
        for (const id of this.#ids) {
          this.#disks.set(id, { entries: [], ballot: { epoch: Number(epoch), votedFor: -1 } })
        }
        this.#start(this.#ids)
        break
      }
      case 'log': {
        const entries = numbers.slice(1).map((epoch, at) => ({
          at,
          units: 1,
          epoch,
          label: epoch === numbers[at] && at > 0 ? `${epoch}` : 'E',
        }))
        const ballot = this.#disks.get(first)?.ballot ?? { epoch: 0, votedFor: -1 }
        this.#disks.set(first, { entries, ballot })
        this.#start([first])
        break
      }
      case 'campaign':
        this.#member(first).raft.step({ type: 'campaign', nowMs: this.#nowMs })
        break
      case 'propose':
        for (const batch of rest.replace(/^\d+: ?/, '').split(' ')) {
          const [label = '', units = '1'] = batch.split('*')
          this.#member(first).propose(label, Number(units))
        }
        break
      case 'tick':
        this.#nowMs += first
        for (const id of numbers.length > 1 ? numbers.slice(1) : this.#members.keys()) {
          this.#members.get(id)?.raft.step({ type: 'tick', nowMs: this.#nowMs })
        }
        break
      case 'sync':
        if (!rest.startsWith('end')) this.#member(first).beginSync()
        if (!rest.startsWith('begin')) this.#member(first).endSync()
        break
      case 'ballot':
        this.#post(first, this.#member(first).endBallot(this.#nowMs))
        break
      case 'deliver':
        do this.#deliver(first, second)
        while (rest.endsWith('all') && this.#link(first, second).length > 0)
        break
      case 'repeat':
        this.#link(first, second).push(...this.#link(first, second).slice(0, 1))
        break
      case 'drop':
        this.#links.delete(`${first}->${second}`)
        break
      case 'cut':
        for (const id of this.#ids) {
          if (rest.includes('->')) this.#cut.add(`${first}->${second}`)
          else if (id !== first) this.#cut.add(`${first}->${id}`).add(`${id}->${first}`)
        }
        for (const link of this.#cut) this.#links.delete(link)
        break
      case 'heal':
        this.#cut.clear()
        break
      case 'lost':
        this.#member(first).raft.step({ type: 'peerLost', peer: second })
        break
      case 'transfer':
        this.#member(first).raft.step({ type: 'transfer', to: second, nowMs: this.#nowMs })
        break
      case 'voters':
        this.#member(first).raft.step({
          type: 'changeVoters',
          voters: numbers.slice(1),
          nowMs: this.#nowMs,
        })
        break
      case 'pulses':
        this.#sessions.clear()
        for (const id of numbers) this.#sessions.set(id, { session: id * 10, well: new Set(numbers) })
        break
      case 'unwell': {
        const heardMs = numbers[2] ?? 0
        this.#sessions.get(first)?.well.delete(second)
        this.#member(first).raft.step({ type: 'peerUnwell', peer: second, heardMs, contactMs: heardMs })
        break
      }
      case 'gone':
        this.#member(first).raft.step({ type: 'peerGone', peer: second, nowMs: this.#nowMs })
        break
      case 'well': {
        const session = this.#sessions.get(second)?.session ?? 0
        this.#sessions.get(first)?.well.add(second)
        this.#member(first).raft.step({ type: 'peerWell', peer: second, session })
        break
      }
      case 'renounced': {
        const sessions = this.#sessions.get(first)
        if (sessions !== undefined) sessions.session++
        this.#member(first).raft.step({ type: 'renounced' })
        break
      }
      case 'confirm':
        this.#member(first).raft.step({ type: 'confirm', question: second, nowMs: this.#nowMs })
        break
      case 'abandon':
        this.#member(first).raft.step({ type: 'abandonChange' })
        break
      case 'observers':
        this.#member(first).raft.step({ type: 'observers', observers: numbers.slice(1), nowMs: this.#nowMs })
        break
      case 'trim':
        this.#member(first).trim(second)
        break
      case 'install':
        this.#member(first).endInstall()
        break
      case 'forgetful':
        this.#isForgetful = true
        break
      case 'wiped':
        this.#disks.set(first, { entries: [], ballot: { epoch: 0, votedFor: -1 } })
        this.#start([first])
        break
      case 'stranger':
        this.#member(first).raft.step({ type: 'estranged', peer: second, isEstranged: true })
        break
      case 'chunk':
        this.#appendEntriesMax = first
        break
      case 'crash':
        for (const id of numbers) this.#members.delete(id)
        for (const link of this.#links.keys()) {
          if (numbers.includes(Number.parseInt(link, 10))) this.#links.delete(link)
        }
        break
      case 'restart':
        this.#start(numbers)
        break
      case 'settle':
        this.#settle(numbers.length > 0 ? numbers : this.#ids)
        break
      case 'status':
        this.#status()
        break
      default:
        assert.fail(`no such verb: ${verb}`)
    }
    this.#turn()
  }

  #settle(disks: readonly number[]): void {
    for (let rounds = 0; ; rounds++) {
      assert.ok(rounds < 1000, 'it settles')
      this.#turn()
      let worked = false
      for (const [id, member] of this.#members) {
        if (!disks.includes(id)) continue
        if (member.wantsBallot) {
          worked = true
          this.#post(id, member.endBallot(this.#nowMs))
        }
        if (member.wantsInstall) {
          worked = true
          member.endInstall()
        }
        if (member.wantsSync) {
          worked = true
          member.endSync()
        }
      }
      this.#turn()
      for (const [link, messages] of this.#links) {
        const [from = 0, to = 0] = link.split('->').map(Number)
        for (let left = messages.length; left > 0; left--) {
          worked = true
          this.#deliver(from, to)
        }
      }
      if (!worked) return
    }
  }

  #turn(): void {
    for (const [id, member] of this.#members) this.#post(id, member.turn())
  }

  #post(from: number, envelopes: readonly { to: number; message: OnLink['message'] }[]): void {
    for (const { to, message } of envelopes) {
      const isLost = this.#cut.has(`${from}->${to}`)
      this.#tell(`${from}->${to} ${describeMessage(message)}${isLost ? '  (lost)' : ''}`)
      if (!isLost) this.#link(from, to).push({ from, to, message })
    }
  }

  #deliver(from: number, to: number): void {
    const next = this.#link(from, to).shift()
    assert.ok(next !== undefined, `nothing is under way on ${from}->${to}`)
    this.#members.get(to)?.receive(from, next.message, this.#nowMs)
    this.#turn()
  }

  #link(from: number, to: number): OnLink[] {
    const link = `${from}->${to}`
    const messages = this.#links.get(link) ?? []
    this.#links.set(link, messages)
    return messages
  }

  #start(ids: readonly number[]): void {
    for (const id of ids) {
      const disk = this.#disks.get(id)
      assert.ok(disk !== undefined, `there is no member ${id}`)
      const options = {
        id,
        voters: this.#voters,
        settings,
        // Each member waits its own time: 1100 ms, 1200 ms, ...
        random: () => id / 10,
        pulses: {
          sessionWith: (peer: number) => {
            const sessions = this.#sessions.get(id)
            return sessions?.well.has(peer) === true ? sessions.session : 0
          },
          contactMs: () => this.#nowMs,
          isMissing: () => false,
        },
        mayForget: () => this.#isForgetful,
        appendEntriesMax: this.#appendEntriesMax,
        tell: (line: string) => this.#tell(line),
      }
      this.#members.set(id, new Member(options, disk, this.#nowMs))
    }
  }

  #status(): void {
    for (const id of this.#ids) {
      const member = this.#members.get(id)
      if (member === undefined) {
        this.#tell(`${id} down, on disk ${endOf(this.#disks.get(id)?.entries ?? [])}`)
        continue
      }
      const { role, epoch, isReady, leaderId, highWatermark, durablePosition } = member.raft
      const { membership, isMembershipCommitted } = member.raft
      const voters = membership.position < 0 ? '' : `, ${describeMembership(membership)}`
      const open = isMembershipCommitted || membership.position < 0 ? '' : ' (open)'
      const who = `${id} ${role}${isReady ? ', ready' : ''}, epoch ${epoch}, leader ${leaderId}${voters}${open}`
      this.#tell(
        `${who}, durable ${durablePosition}, hw ${highWatermark}: ${describeEntries(member.entries)}`,
      )
    }
  }

  #member(id: number): Member {
    const member = this.#members.get(id)
    assert.ok(member !== undefined, `member ${id} is up`)
    return member
  }

  #tell(line: string): void {
    if (!this.#isQuiet) this.#told.push(line)
  }
}

/** Says all `> ` lines of a text again; returns the text with what followed now. */
export function retell(text: string): string {
  const conversation = new Conversation()
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('> ')) lines.push(line, ...conversation.say(line.slice(2)))
    else if (line === '' || line.startsWith('#')) lines.push(line)
  }
  return lines.join('\n')
}
