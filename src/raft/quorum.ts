/**
 * The arithmetic of majorities, apart from everything else so that it can be checked against brute force. In a joint
 * configuration each set is counted for itself, and both must agree: never the two as one.
 */
import type { Membership } from './membership.ts'

/** How many of `count` voters are a majority: 1 of 1, 2 of 2, 2 of 3, 3 of 4. */
export function majority(count: number): number {
  return (count >>> 1) + 1
}

/**
 * The largest value that a majority of the voters has reached, each its own. With durable positions it is what
 * is committed; with times of contact, when a majority was last heard.
 * Positions 7, 4, 9 -> 7.
 */
export function reached({ voters, outgoing }: Membership, of: (voter: number) => number): number {
  const value = reachedBy(voters, of)
  return outgoing.length === 0 ? value : Math.min(value, reachedBy(outgoing, of))
}

function reachedBy(voters: readonly number[], of: (voter: number) => number): number {
  const only = voters[0]
  if (voters.length === 1 && only !== undefined) return of(only)
  const values = voters.map(of).sort((a, b) => b - a)
  return values[majority(voters.length) - 1] ?? 0
}

/** Where an election stands. A voter that has not answered is open; 'lost' when the open ones cannot turn it any more. */
export function tally(
  { voters, outgoing }: Membership,
  answers: ReadonlyMap<number, boolean>,
): 'won' | 'lost' | 'open' {
  const outcome = tallyOf(voters, answers)
  if (outgoing.length === 0 || outcome === 'lost') return outcome
  const other = tallyOf(outgoing, answers)
  return outcome === 'won' || other === 'lost' ? other : outcome
}

function tallyOf(voters: readonly number[], answers: ReadonlyMap<number, boolean>): 'won' | 'lost' | 'open' {
  let granted = 0
  let refused = 0
  for (const voter of voters) {
    const answer = answers.get(voter)
    if (answer === true) granted++
    else if (answer === false) refused++
  }
  const needed = majority(voters.length)
  if (granted >= needed) return 'won'
  return voters.length - refused < needed ? 'lost' : 'open'
}
