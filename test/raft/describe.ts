/** One line for one message, for conversations. `7@2`: position 7, after a unit of epoch 2. */
import type { Membership } from '../../src/raft/membership.ts'
import type { Message } from '../../src/raft/message.ts'
import { describeEntries, type Entry } from './member.ts'

export function describeMessage(message: Message<readonly Entry[]>): string {
  const { epoch } = message
  switch (message.type) {
    case 'voteRequest': {
      const kind = message.preVote ? 'pre-vote?' : message.transfer ? 'vote (transfer)?' : 'vote?'
      return `${kind} epoch ${epoch}, my log ${message.endPosition}@${message.lastEpoch}`
    }
    case 'voteReply':
      return `${message.preVote ? 'pre-vote' : 'vote'} ${message.granted ? 'yes' : 'no'}, epoch ${epoch}`
    case 'append': {
      const where = `epoch ${epoch}, after ${message.from}@${message.fromEpoch}`
      const what =
        message.entries === null ? `agree? ${where}` : `append ${where}: ${describeEntries(message.entries)}`
      return `${what}, hw ${message.highWatermark}`
    }
    case 'appended':
      return `appended epoch ${epoch}, matched ${message.matched}, durable ${message.durable}`
    case 'conflict':
      return `conflict epoch ${epoch}, at ${message.from}, try ${message.position}@${message.positionEpoch}`
    case 'heartbeat':
      return `heartbeat epoch ${epoch}, hw ${message.highWatermark}${word(message.session)}`
    case 'heartbeatReply':
      return `heartbeat reply epoch ${epoch}, matched ${message.matched}, durable ${message.durable}${word(message.session)}`
    case 'advance':
      return `advance epoch ${epoch}, hw ${message.highWatermark}`
    case 'timeoutNow':
      return `campaign now! epoch ${epoch}`
    case 'install': {
      const { position, positionEpoch, membership, at, piece, size } = message
      const image = size > 0 ? `, image ${at} to ${at + piece.length} of ${size}` : ''
      return `install epoch ${epoch}, at ${position}@${positionEpoch}, ${describeMembership(membership)}${image}`
    }
    case 'installed':
      return `installed epoch ${epoch}, ${message.received} bytes at ${message.position}`
    case 'fenced':
      return `fenced, mine is epoch ${epoch}`
  }
}

/** Given in that session of the sender. */
const word = (session: number): string => (session === 0 ? '' : `, my word in session ${session}`)

/** `{1 2 3}`, or `{1 2 3 -> 2 3 4}` when joint. */
export function describeMembership({ voters, outgoing }: Pick<Membership, 'voters' | 'outgoing'>): string {
  return `{${outgoing.length > 0 ? `${outgoing.join(' ')} -> ` : ''}${voters.join(' ')}}`
}
