/** Rows of partitions, as lists of topics want them: topics in the order of their first row. */
export function byTopic<Row extends { readonly topic: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const topics = new Map<string, Row[]>()
  for (const row of rows) {
    const known = topics.get(row.topic)
    if (known === undefined) topics.set(row.topic, [row])
    else known.push(row)
  }
  return topics
}
