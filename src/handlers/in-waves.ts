/** How many partitions of one administrator's request are decided at the same time. */
const waveSize = 100

/** Calls `act` for everything, a bounded number at a time; the answers in the order of what was asked. */
export async function inWaves<Asked, Answer>(
  asked: readonly Asked[],
  act: (one: Asked) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let from = 0; from < asked.length; from += waveSize) {
    answers.push(...(await Promise.all(asked.slice(from, from + waveSize).map(act))))
  }
  return answers
}
