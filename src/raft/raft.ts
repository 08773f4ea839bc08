/**
 * The consensus core: one member of one quorum, as a value. It reads no clock, draws no chance, touches no byte: `step` takes
 * an event, `ready` gives what follows from all events since. It reasons over positions and epochs; the log holds the bytes.
 *
 *   raft.ts       the face; which epoch a message belongs to; the changes of role
 *   message.ts    what members say to each other         event.ts    what comes in
 *   ready.ts      what goes out, and the durability rule  extents.ts  epochs and ends of the log
 *   state.ts      what every role shares                  quorum.ts   majorities
 *   follower.ts, candidate.ts, leader.ts                  what only one role has
 *   replication.ts  the leader's log on its way to the others; progress.ts  what it knows of one of them
 *
 *     follower --- election time-out ---> candidate (pre-vote) --- majority would ---> candidate (vote) --- majority ---> leader
 *        ^   ^----------- lost, or a leader is heard ---------------|---------------------|                                |
 *        |---------------------------- a newer epoch, or a majority not heard for an election time-out ---------------------|
 *
 * Beside the paper: pre-vote, check-quorum and leader stickiness together (any one alone has a livelock, R-01 to R-06);
 * appends pipelined within a window; conflicts skipped by epochs; leadership transfer; a follower answers for what is durable.
 *
 * A sole voter elects itself at once, and writes no ballot for it: nobody else can win the epoch, and the epoch-start mark,
 * which must be durable before the leader is ready, is the proof of it (a log that knows a newer epoch than the ballot wins).
 * That saves a sync and a file for each of a single broker's partitions.
 *
 *   heartbeats.ts  signs of life, check-quorum, the read barrier, and quorums that are quiet
 *   membership.ts  who counts, and how that changes       change.ts  newcomers that catch up before it does
 *
 * Observers receive the log and do not count; they are whom the leader was told to bring up to date, and who does not find himself
 * among the voters of his own log. An observer that a candidate counts as a voter votes: the candidate may know better.
 * @source "In Search of an Understandable Consensus Algorithm (extended)", cited as Raft; Ongaro's thesis; R-xx: reliability rules
 */
import { assert } from '../base/assert.ts'
import { Candidate } from './candidate.ts'
import type { Event } from './event.ts'
import { Extents, type ExtentsAtOpen } from './extents.ts'
import { Follower } from './follower.ts'
import { type FollowerProgress, Leader } from './leader.ts'
import type { PlacedMembership } from './membership.ts'
import type { Message, VoteRequest } from './message.ts'
import type { Ballot, Ready } from './ready.ts'
import type { Campaign, Role, Transitions } from './role.ts'
import { type PeerPulses, type RaftSettings, State } from './state.ts'

export interface RaftOptions<Entries> {
  readonly id: number
  /** Rising: what is in force at the log's start (its mark may lie below; position -1: what the quorum began with), and all above. */
  readonly memberships: readonly PlacedMembership[]
  /** Finds the configurations in units that are appended. */
  readonly membershipsIn: (entries: Entries) => readonly PlacedMembership[]
  /** { epoch: 0, votedFor: -1 } when there never was one. */
  readonly ballot: Ballot
  readonly extents: ExtentsAtOpen
  /** What is known to be committed; what of it the log still holds is. Absent: what lies below the log's start. */
  readonly highWatermark?: number
  readonly settings: RaftSettings
  /**
   * True while what was durable on a member may be gone after a crash, by choice: its disk is not synced. Then what was committed may be
   * gone, too, and is cut where a leader lacks it. Absent: never.
   */
  readonly mayForget?: () => boolean
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Absent: no quorum is ever quiet. */
  readonly pulses?: PeerPulses
  readonly nowMs: number
}

export class Raft<Entries> implements Transitions {
  readonly #state: State<Entries>
  #role: Role<Entries>

  constructor(options: RaftOptions<Entries>) {
    const state = new State<Entries>({ ...options, extents: new Extents(options.extents) })
    this.#state = state
    // A restart forgets whom it followed: until it would have heard, it helps nobody against a leader that may live.
    const heardMs = state.epoch > 0 ? options.nowMs : -Infinity
    this.#role = new Follower(state, this, {
      leaderId: -1,
      heardMs,
      deadlineMs: options.nowMs + state.electionDelayMs(),
    })
    if (state.isSoleVoter) this.campaign('vote', options.nowMs)
  }

  get id(): number {
    return this.#state.id
  }
  get role(): Role<Entries>['name'] {
    return this.#role.name
  }
  get epoch(): number {
    return this.#state.epoch
  }
  /** -1 when unknown. */
  get leaderId(): number {
    return this.#role.leaderId
  }
  /** Who counts: the newest configuration of the log, committed or not. */
  get membership(): PlacedMembership {
    return this.#state.membership
  }
  /** What is in force for the unit at `position`. */
  membershipAt(position: number): PlacedMembership {
    return this.#state.memberships.at(position)
  }
  /** Whether the newest configuration can still be undone. */
  get isMembershipCommitted(): boolean {
    return this.membership.position < this.highWatermark
  }
  /** On the leader: how far a change of voters is. 'waiting': nothing is in the log yet. */
  get change(): 'none' | 'waiting' | 'joint' {
    return this.#role instanceof Leader ? this.#role.change : 'none'
  }
  /** On the leader: who receives the log and does not count. */
  get observers(): readonly number[] {
    return this.#role instanceof Leader ? this.#role.observers : []
  }
  /** Its voice counts for nothing: see 'estranged' in event.ts. */
  isEstranged(peer: number): boolean {
    return this.#state.isEstranged(peer)
  }
  /** On the leader: the position below which so many voters hold everything durably; else the high watermark. */
  heldBy(count: number): number {
    return this.#role instanceof Leader ? this.#role.heldBy(count) : this.highWatermark
  }
  /** On the leader: the voters that keep up with it, itself among them. */
  inSync(nowMs: number): readonly number[] {
    return this.#role instanceof Leader ? this.#role.inSync(nowMs) : []
  }
  /** On the leader: where everybody else stands. */
  progress(nowMs: number): readonly FollowerProgress[] {
    return this.#role instanceof Leader ? this.#role.progress(nowMs) : []
  }
  /** It has given its word in this session: should it go, the session has to end. */
  get hasPledged(): boolean {
    return this.#steady?.hasPledged === true
  }
  get votedFor(): number {
    return this.#state.votedFor
  }
  /** Leads, and the start of its epoch is committed. */
  get isReady(): boolean {
    return this.#role instanceof Leader && this.#role.isReady
  }
  /** Leads and is not handing over. */
  get acceptsProposals(): boolean {
    return this.#role instanceof Leader && this.#role.acceptsProposals
  }
  /** How often something committed was cut, see `RaftOptions.mayForget`. */
  get forgotten(): number {
    return this.#state.forgotten
  }
  /** Exclusive position. Never goes back, but see `forgotten`. */
  get highWatermark(): number {
    return this.#state.highWatermark
  }
  get endPosition(): number {
    return this.#state.extents.end
  }
  get durablePosition(): number {
    return this.#state.extents.durable
  }
  /** The log is being replaced: what is said here of it is about the old one. */
  get isInstalling(): boolean {
    return this.#state.isInstalling
  }
  /** To be given back with `durable`. */
  get truncations(): number {
    return this.#state.extents.truncations
  }
  /** When the next tick matters; Infinity: never (a sole voter). */
  get deadlineMs(): number {
    return this.#role.deadlineMs
  }

  step(event: Event<Entries>): void {
    const role = this.#role
    switch (event.type) {
      case 'tick':
        role.tick(event.nowMs)
        break
      case 'receive':
        this.#receive(event.from, event.message, event.nowMs)
        break
      case 'proposed':
        assert(role instanceof Leader, 'only a leader proposes')
        role.proposed(event.units)
        break
      case 'durable':
        if (this.#state.extents.maybeDurable(event.position, event.truncations)) role.durable()
        break
      case 'balloted':
        if (role instanceof Candidate && event.epoch === this.epoch) role.balloted(event.nowMs)
        break
      case 'read':
        if (role instanceof Leader) role.read(event)
        break
      case 'confirm':
        if (role instanceof Leader) role.confirm(event.question, event.nowMs)
        break
      case 'campaign':
        if (this.#state.mayCampaign && !(role instanceof Leader)) this.campaign('preVote', event.nowMs)
        break
      case 'changeVoters':
        if (role instanceof Leader) role.changeVoters(event.voters, event.nowMs)
        break
      case 'abandonChange':
        if (role instanceof Leader) role.abandonChange()
        break
      case 'observers':
        if (role instanceof Leader) role.observe(event.observers, event.nowMs)
        break
      case 'estranged':
        if (this.#state.isEstranged(event.peer) === event.isEstranged) break
        this.#state.setEstranged(event.peer, event.isEstranged)
        if (role instanceof Leader) role.estranged(event.peer)
        break
      case 'installing':
        assert(!(role instanceof Leader), 'a leader has what it leads')
        // What it stands for as a candidate is a log that goes now.
        if (role instanceof Candidate) this.follow(this.epoch, -1, event.nowMs)
        this.#state.isInstalling = true
        break
      case 'reset':
        this.#reset(event)
        break
      case 'transfer':
        if (role instanceof Leader) role.transfer(event.to, event.nowMs)
        break
      case 'peerWell':
        this.#steady?.peerWell(event.peer, event.session)
        break
      case 'peerUnwell':
        this.#steady?.peerUnwell(event.peer, event.heardMs, event.contactMs)
        break
      case 'peerGone':
        if (role instanceof Follower) role.peerGone(event.peer, event.nowMs)
        break
      case 'renounced':
        this.#steady?.renounced()
        break
      case 'peerLost':
        if (role instanceof Leader) role.peerLost(event.peer)
        break
      case 'trimmed':
        assert(event.position <= this.highWatermark, 'only what is committed is forgotten')
        this.#state.extents.trim(event.position)
        this.#state.memberships.trim(event.position)
    }
  }

  /** All that the events since the last call have added up to; see ready.ts for what to do with it. */
  ready(): Ready<Entries> {
    this.#role.flush()
    return this.#state.takeReady()
  }

  #reset(event: Extract<Event<Entries>, { type: 'reset' }>): void {
    const { position, positionEpoch, membership } = event
    assert(this.#state.isInstalling, 'a log is replaced after notice')
    this.#state.isInstalling = false
    this.#state.reset(position, positionEpoch, membership)
    if (this.#role instanceof Follower) this.#role.reset()
  }

  #receive(from: number, message: Message<Entries>, nowMs: number): void {
    if (message.type === 'voteRequest') {
      this.#answerVote(from, message, nowMs)
      return
    }
    if (message.type === 'voteReply' && message.preVote && message.granted) {
      // Speaks of the epoch that would be; nobody is in it yet.
      if (message.epoch === this.epoch + 1) this.#role.receive(from, message, nowMs)
      return
    }
    const speaksAsLeader =
      message.type === 'append' ||
      message.type === 'heartbeat' ||
      message.type === 'advance' ||
      message.type === 'install'
    if (message.epoch < this.epoch) {
      if (speaksAsLeader) this.#state.promise(from, { type: 'fenced', epoch: this.epoch })
      return
    }
    if (message.epoch > this.epoch) this.follow(message.epoch, speaksAsLeader ? from : -1, nowMs)
    else if (speaksAsLeader && this.#role.name === 'candidate') this.follow(message.epoch, from, nowMs)
    this.#role.receive(from, message, nowMs)
  }

  #answerVote(from: number, request: VoteRequest, nowMs: number): void {
    const state = this.#state
    const { preVote } = request
    // Its disk was wiped: what it has now says nothing about what it had.
    if (state.isEstranged(from)) return
    const isHelpful = request.transfer || !this.#role.hasLeader(nowMs)
    // A newer epoch is only entered for a candidate that may be helped: else one member that cannot hear the leader would
    // depose it again and again.
    if (!preVote && isHelpful && request.epoch > this.epoch) this.follow(request.epoch, -1, nowMs)
    const isNewer =
      request.lastEpoch > state.extents.lastEpoch ||
      (request.lastEpoch === state.extents.lastEpoch && request.endPosition >= state.extents.end)
    const mayVote = preVote
      ? request.epoch > this.epoch
      : request.epoch === this.epoch &&
        (state.votedFor === from || (state.votedFor === -1 && this.leaderId === -1))
    const granted = isHelpful && isNewer && mayVote
    if (granted && !preVote) {
      state.vote(from)
      if (this.#role instanceof Follower) this.#role.postponeElection(nowMs)
    }
    const epoch = granted ? request.epoch : this.epoch
    const reply = { type: 'voteReply', epoch, preVote, granted } as const
    if (preVote) state.send(from, reply)
    else state.promise(from, reply)
  }

  /** A change of role; called by roles. */
  follow(epoch: number, leaderId: number, nowMs: number): void {
    const state = this.#state
    const before = this.#role
    if (epoch > state.epoch) state.enterEpoch(epoch)
    // A newer epoch alone is no sign of life: who has waited long goes on waiting from there.
    const keepsWaiting = before instanceof Follower && leaderId === -1
    this.#become(
      new Follower(state, this, {
        leaderId,
        heardMs: leaderId === -1 ? -Infinity : nowMs,
        deadlineMs: keepsWaiting ? before.electionDueMs(nowMs) : nowMs + state.electionDelayMs(),
      }),
    )
  }

  /** A change of role; called by roles. */
  campaign(kind: Campaign, nowMs: number): void {
    const state = this.#state
    assert(state.mayCampaign, 'only a voter campaigns')
    if (state.isSoleVoter) {
      state.openOwnEpoch()
      this.lead(nowMs)
      return
    }
    if (kind !== 'preVote') {
      state.enterEpoch(state.epoch + 1)
      state.vote(state.id)
    }
    this.#become(new Candidate(state, this, kind, nowMs))
  }

  /** A change of role; called by roles. */
  lead(nowMs: number): void {
    this.#become(new Leader(this.#state, this, nowMs))
  }

  /** Who can have given his word: a candidate gives none. */
  get #steady(): Follower<Entries> | Leader<Entries> | null {
    const role = this.#role
    return role instanceof Follower || role instanceof Leader ? role : null
  }

  /** A word was given for one stay in a role. */
  #become(role: Role<Entries>): void {
    if (this.hasPledged) this.#state.renounce()
    this.#role = role
  }
}
