/** Plans of moves as Kafka's tools write them. */
import t from 'tap'
import { Failure } from '../../src/cli/failure.ts'
import { parseReassignments } from '../../src/cli/reassignment-file.ts'

function refusal(text: string): string {
  try {
    parseReassignments(text, 'plan')
    return 'taken'
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return `${error.exitCode} ${error.message}`
  }
}

t.test('what kafka-reassign-partitions writes', async (t) => {
  const plan =
    '{"version":1,"partitions":[{"topic":"foo","partition":1,"replicas":[3,1],"log_dirs":["any","any"]},{"topic":"bar","partition":0,"replicas":[2]}]}'
  t.strictSame(parseReassignments(plan, 'plan'), [
    { topic: 'foo', partition: 1, replicas: [3, 1] },
    { topic: 'bar', partition: 0, replicas: [2] },
  ])
  t.strictSame(parseReassignments('{"partitions":[]}', 'plan'), [])
})

t.test('what is wrong is said, with its place', async (t) => {
  const row = (text: string): string => `{"version":1,"partitions":[${text}]}`
  const cases: [text: string, sentence: RegExp][] = [
    ['{', /^2 plan is no JSON: /],
    ['[]', /^2 plan must be \{"version":1,"partitions":\[\.\.\.\]\}/],
    ['{"version":2,"partitions":[]}', /must be \{"version":1/],
    ['{"version":1,"partitions":{}}', /must be/],
    [row('7'), /plan: partitions\[0\] needs "topic"/],
    [row('{"topic":"a"}'), /partitions\[0\] needs/],
    [row('{"topic":"a","partition":-1,"replicas":[1]}'), /partitions\[0\] needs/],
    [row('{"topic":"a","partition":0,"replicas":[]}'), /partitions\[0\]: "replicas" must be a list/],
    [row('{"topic":"a","partition":0,"replicas":[1.5]}'), /"replicas" must be a list/],
    [row('{"topic":"a","partition":0,"replicas":[1,1]}'), /has a broker twice/],
    [row('{"topic":"a","partition":0,"replicas":[1],"log_dirs":["/data"]}'), /"log_dirs" other than "any"/],
    [
      row('{"topic":"a","partition":0,"replicas":[1]},{"topic":"a","partition":0,"replicas":[2]}'),
      /plan names partition a-0 twice/,
    ],
  ]
  for (const [text, sentence] of cases) t.match(refusal(text), sentence)
})
