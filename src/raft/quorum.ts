/**
 * The arithmetic of majorities, apart from everything else so that it can be checked against brute force.
 *
 * (Joint consensus will ask both voter sets and take the smaller answer of `reached`, and 'won' only of both.)
 */

/** How many of `count` voters are a majority: 1 of 1, 2 of 2, 2 of 3, 3 of 4. */
export function majority(count: number): number {
  return (count >>> 1) + 1
}

/**
 * The largest value that a majority of the voters has reached, each its own. With durable positions it is what
 * is committed; with times of contact, when a majority was last heard.
 * Positions 7, 4, 9 -> 7.
 */
export function reached(voters: readonly number[], of: (voter: number) => number): number {
  const only = voters[0]
  if (voters.length === 1 && only !== undefined) return of(only)
  const values = voters.map(of).sort((a, b) => b - a)
  return values[majority(voters.length) - 1] ?? 0
}

/** Where an election stands. A voter that has not answered is open; 'lost' when the open ones cannot turn it any more. */
export function tally(
  voters: readonly number[],
  answers: ReadonlyMap<number, boolean>,
): 'won' | 'lost' | 'open' {
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
