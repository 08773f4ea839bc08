/** What a broker says to its peers: the messages of all its quorum members, per peer and turn. */
import type { Message } from '../raft/message.ts'
import type { Entries } from './entries.ts'
import type { Pulse } from './pulses.ts'

export interface PeerMessage {
  /** The name of the replica on both sides. */
  readonly replica: string
  readonly message: Message<Entries>
}

/** The way to the peers. With one broker nothing is ever sent. */
export interface Outbox {
  /** All that this turn has for one peer, in order. May lose messages; when a connection broke, `ReplicaHost.peerLost` hears of it. */
  send(to: number, messages: readonly PeerMessage[]): void
  /** Before all that waits. May be lost. Absent: no quorum is ever quiet. */
  pulse?(to: number, pulse: Pulse): void
}
