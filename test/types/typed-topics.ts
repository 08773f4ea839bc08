/** What the compiler must accept, and what it must refuse: checked by the build, never run. */
import { type AvroValue, avro } from '../../client/avro.ts'
import { bytes, Client, json, nullable, SchemaRegistry, type Serde, string } from '../../client/client.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(..._: Equal<A, B> extends true ? [] : ['these types differ']): void => {}

interface Payment {
  readonly amount: number
}
const registry = new SchemaRegistry({ url: 'http://localhost:8081' })
const order = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total', type: 'double' },
    { name: 'count', type: { type: 'int' } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'state', type: { type: 'enum', name: 'State', symbols: ['new', 'paid'] } },
    {
      name: 'lines',
      type: {
        type: 'array',
        items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] },
      },
    },
    { name: 'tags', type: { type: 'map', values: 'long' } },
    { name: 'hash', type: { type: 'fixed', name: 'Hash', size: 4 } },
    { name: 'raw', type: 'bytes' },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
  ],
} as const

interface Order {
  id: string
  total: number
  count: number
  note: string | null
  state: 'new' | 'paid'
  lines: { sku: string }[]
  tags: { [key: string]: number }
  hash: Buffer
  raw: Buffer
  at: Date
}
same<AvroValue<typeof order>, Order>()
// @ts-expect-error: the probe itself can fail
same<AvroValue<typeof order>, { id: number }>()

const tree = avro(registry, {
  type: 'record',
  name: 'Tree',
  fields: [
    { name: 'value', type: 'int' },
    { name: 'left', type: ['null', 'Tree'] },
  ],
})
export const grown: typeof tree extends Serde<infer T> ? T : never = {
  value: 1,
  left: { value: 2, left: null },
}
// @ts-expect-error: a tree all the way down
grown.left = { value: 2, left: 'leaf' }

/** Names of other places: an enum and a record that stand elsewhere in the schema, one by its full name. */
const trip = {
  type: 'record',
  name: 'Trip',
  namespace: 'travel',
  fields: [
    { name: 'from', type: { type: 'record', name: 'Place', fields: [{ name: 'city', type: 'string' }] } },
    { name: 'to', type: 'travel.Place' },
    { name: 'by', type: { type: 'enum', name: 'Means', symbols: ['rail', 'road'] } },
    { name: 'stops', type: { type: 'array', items: 'Place' } },
    { name: 'back', type: ['null', 'Means'], default: null },
    { name: 'other', type: 'Elsewhere' },
  ],
} as const
interface Trip {
  from: { city: string }
  to: { city: string }
  by: 'rail' | 'road'
  stops: { city: string }[]
  back: 'rail' | 'road' | null
  other: unknown
}
same<AvroValue<typeof trip>, Trip>()
same<AvroValue<'string'>, string>()
same<AvroValue<['null', 'int']>, number | null>()

/** Logical types: those with values of their own, by name, too; what is unknown or does not fit stays its base type. */
const bill = {
  type: 'record',
  name: 'Bill',
  fields: [
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'exactly', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'due', type: ['null', { type: 'int', logicalType: 'date' }], default: null },
    { name: 'sum', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
    {
      name: 'tax',
      type: { type: 'fixed', name: 'Money', size: 8, logicalType: 'decimal', precision: 9, scale: 2 },
    },
    { name: 'tip', type: 'Money' },
    { name: 'id', type: { type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' } },
    { name: 'of', type: { type: 'array', items: { type: 'string', logicalType: 'uuid' } } },
    { name: 'odd', type: { type: 'bytes', logicalType: 'decimal' } },
    { name: 'made-up', type: { type: 'int', logicalType: 'timestamp-millis' } },
  ],
} as const
interface Bill {
  at: Date
  exactly: number
  due: string | null
  sum: string
  tax: string
  tip: string
  id: string
  of: string[]
  odd: Buffer
  'made-up': number
}
interface BaseBill extends Omit<Bill, 'at' | 'due' | 'sum' | 'tax' | 'tip' | 'id'> {
  at: number
  due: number | null
  sum: Buffer
  tax: Buffer
  tip: Buffer
  id: Buffer
}
type Written<S> = S extends Serde<infer T> ? T : never
const bills = avro(registry, bill)
const bareBills = avro(registry, bill, { logicalTypes: 'base' })
const otherBills = avro(registry, bill, { register: false })
same<Written<typeof bills>, Bill>()
same<Written<typeof otherBills>, Bill>()
same<
  { [K in keyof Written<typeof bareBills>]: Written<typeof bareBills>[K] },
  { [K in keyof BaseBill]: BaseBill[K] }
>()

const shop = new Client({ bootstrap: 'localhost' }).typed({
  orders: { key: string, value: avro(registry, order) },
  payments: { value: json<Payment>() },
  raw: { key: nullable(bytes), value: nullable(string) },
})

export async function produce(value: Order): Promise<void> {
  const producer = shop.producer()
  await producer.send('orders', value, { key: 'a', headers: { source: 'web' } })
  await producer.send('payments', { amount: 1 })
  await producer.send('payments', { amount: 1 }, { key: 'a', signal: AbortSignal.timeout(10) })
  await producer.send('raw', null)
  await producer.send('raw', 'text', { key: null, partition: 3 })
  // @ts-expect-error: no such topic
  await producer.send('order', value, { key: 'a' })
  // @ts-expect-error: another topic's value
  await producer.send('orders', { amount: 1 }, { key: 'a' })
  // @ts-expect-error: a declared key must be given
  await producer.send('orders', value)
  // @ts-expect-error: of its type
  await producer.send('orders', value, { key: 1 })
  // @ts-expect-error: no tombstones unless declared
  await producer.send('payments', null)
  // @ts-expect-error: a field is missing
  await producer.send('payments', {})
  // @ts-expect-error: a symbol that the enum does not have
  await producer.send('orders', { ...value, state: 'lost' }, { key: 'a' })
}

export async function consume(): Promise<void> {
  for await (const record of shop.consumer({ topics: ['orders'] })) {
    same<typeof record.value, Order>()
    same<typeof record.key, string>()
    same<typeof record.topic, 'orders'>()
    same<typeof record.offset, number>()
  }
  for await (const record of shop.consumer({ topics: ['payments', 'raw'], groupId: 'g' })) {
    if (record.topic === 'raw') {
      same<typeof record.value, string | null>()
      same<typeof record.key, Buffer | null>()
    } else {
      same<typeof record.value, Payment>()
    }
    // @ts-expect-error: which topic is not known yet
    record.value.amount
  }
  // @ts-expect-error: not declared
  shop.consumer({ topics: ['others'] })
}

const checked = json((value): Payment => {
  if (typeof value !== 'object' || value === null || !('amount' in value)) throw new Error('no payment')
  return { amount: Number(value.amount) }
})
same<typeof checked, Serde<Payment>>()
