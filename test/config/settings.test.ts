import t from 'tap'
import { fromEnvironment, parseProperties } from '../../src/config/properties.ts'
import type { Row } from '../../src/config/row.ts'
import { Settings } from '../../src/config/settings.ts'
import { table } from '../../src/config/table.ts'
import { checkTopicConfig, topicSettings } from '../../src/config/topic-settings.ts'

const refusal = (message: RegExp) => ({ name: 'Refused', code: 'INVALID_CONFIG', message })

t.test('a value comes from the strongest source that says something', async (t) => {
  const settings = new Settings()
  t.equal(settings.get('log.segment.bytes'), 1_073_741_824)
  settings.set('log.segment.bytes', '4096', 'file')
  settings.set('log.segment.bytes', '8192', 'flag')
  settings.set('log.segment.bytes', '2048', 'environment')
  t.equal(settings.get('log.segment.bytes'), 8192)
  settings.set('log.segment.bytes', '16384', 'dynamic')
  t.strictSame(
    settings.synonyms('log.segment.bytes').map(({ text, source }) => `${source}=${text}`),
    ['dynamic=16384', 'flag=8192', 'environment=2048', 'file=4096', 'default=1073741824'],
  )
  settings.forget('dynamic')
  t.equal(settings.get('log.segment.bytes'), 8192)
})

t.test('a wrong setting is refused with a sentence that names it', async (t) => {
  const settings = new Settings()
  const cases: [string, string, RegExp][] = [
    ['log.segment.byte', '1', /'log\.segment\.byte' is not a setting; did you mean 'log\.segment\.bytes'\?/],
    ['log.segment.bytes', 'many', /'log\.segment\.bytes' wants a whole number, not 'many'/],
    ['log.segment.bytes', '12', /must be at least 1024, not 12/],
    ['log.segment.bytes', '99999999999', /does not fit 32 bits/],
    ['auto.create.topics.enable', 'yes', /wants true or false, not 'yes'/],
    ['log.message.timestamp.type', 'Sometimes', /wants one of CreateTime, LogAppendTime/],
    ['cleanup.policy', 'compact', /'compact' is not served yet/],
    ['compression.type', 'lz4', /would make the broker compress again/],
    ['log.retention.hours', 'soon', /'log\.retention\.hours' wants a number/],
  ]
  for (const [name, text, message] of cases) {
    t.throws(() => settings.set(name, text, 'flag'), refusal(message), `${name}=${text}`)
  }
})

t.test("Kafka's other units and topic names set the same thing", async (t) => {
  const settings = new Settings()
  settings.set('log.retention.hours', '2', 'file')
  t.equal(settings.get('log.retention.ms'), 7_200_000)
  settings.set('retention.ms', '60000', 'flag')
  t.equal(settings.get('log.retention.ms'), 60_000)
  settings.set('log.retention.hours', '-1', 'flag')
  t.equal(settings.get('log.retention.ms'), -1)
})

t.test('a topic sees its own configs over the defaults of the broker', async (t) => {
  const settings = new Settings()
  settings.set('log.retention.bytes', '5000', 'file')
  const topic = topicSettings(
    settings,
    new Map([
      ['segment.bytes', '2048'],
      ['retention.ms', '-1'],
    ]),
  )
  t.match(topic, {
    segmentBytes: 2048,
    retentionBytes: 5000,
    retentionMs: Number.POSITIVE_INFINITY,
    flushMessages: 1,
    flushMs: Number.POSITIVE_INFINITY,
  })
  t.throws(
    () => checkTopicConfig('segment.bites', '1'),
    refusal(/'segment\.bites' is not a setting of topics/),
  )
  t.throws(() => checkTopicConfig('segment.bytes', null), refusal(/needs a value/))
  t.throws(() => checkTopicConfig('segment.bytes', '1'), refusal(/'segment\.bytes' must be at least 1024/))
})

t.test('"no limit" is spelled as Kafka spells it, in and out', async (t) => {
  const settings = new Settings()
  settings.set('log.flush.interval.messages', '9223372036854775807', 'flag')
  t.equal(topicSettings(settings, new Map()).flushMessages, Number.POSITIVE_INFINITY)
  t.equal(settings.describe('log.flush.interval.ms').text, '9223372036854775807')
})

t.test('the table keeps its own rules', async (t) => {
  for (const [name, row] of Object.entries(table) as [string, Row<unknown>][]) {
    const settings = new Settings()
    t.doesNotThrow(() => settings.set(name, String(row.default), 'flag'), `the default of ${name} is allowed`)
    t.match(row.doc, /^[A-Z0-9].*\.$/s, `${name} is documented by a sentence`)
  }
})

t.test('server.properties as Java reads it', async (t) => {
  const text = [
    '# a comment',
    '! another',
    '',
    'log.segment.bytes=1048576',
    '  num.partitions : 3  ',
    'broker.rack rack\\ one',
    'list=a,\\',
    '     b',
    'path=C:\\\\data\\tx',
    'unicode=\\u00e9',
    'log.segment.bytes=2097152',
  ].join('\r\n')
  t.strictSame(
    [...parseProperties(text)],
    [
      ['log.segment.bytes', '2097152'],
      ['num.partitions', '3'],
      ['broker.rack', 'rack one'],
      ['list', 'a,b'],
      ['path', 'C:\\data\tx'],
      ['unicode', 'é'],
    ],
  )
  t.throws(() => parseProperties('a=1\njust-a-word'), refusal(/line 2/))
})

t.test('the environment', async (t) => {
  const environment = {
    LOGRAFT_LOG_SEGMENT_BYTES: '4096',
    LOGRAFT_LOGRAFT_TICK_MS: '20',
    HOME: '/',
    LOGRAFT_X: '1',
  }
  t.strictSame([...fromEnvironment(environment, Object.keys(table))].sort(), [
    ['log.segment.bytes', '4096'],
    ['lograft.tick.ms', '20'],
  ])
})
