/** A broker that others use while a test mistreats it. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import { allBatches, batch, produce, record } from './batches.ts'
import { type Broker, startBroker } from './broker.ts'
import { Wire } from './raw.ts'
import { kafkajs } from './readers.ts'

/** Whether these tests run against something else, which need not log and answer as this project does. */
export const another = process.env.LOGRAFT_TEST_COMMAND !== undefined

export class Target {
  readonly broker: Broker
  readonly #pid: number
  /** A connection that was there before and stays: others must not notice. */
  readonly witness: Wire
  #before = ''

  private constructor(broker: Broker, witness: Wire) {
    this.broker = broker
    this.#pid = broker.pid
    this.witness = witness
  }

  static async start(t: Test): Promise<Target> {
    const broker = await startBroker(t)
    const witness = await Wire.open(broker.bootstrap)
    t.teardown(() => witness.close())
    const target = new Target(broker, witness)
    await target.create('stored', 'target')
    for (let n = 0; n < 50; n++) await produce(witness, 'stored', 0, batch(record(0, Buffer.alloc(2000, n))))
    target.#before = await target.#stored()
    return target
  }

  async create(...topics: string[]): Promise<void> {
    const admin = kafkajs(this.broker.bootstrap).admin()
    await admin.connect()
    await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 1 })) })
    await admin.disconnect()
  }

  /** The state in which every misdeed must leave the broker. */
  async unharmed(t: Test): Promise<void> {
    const { broker } = this
    if (!broker.running || broker.pid !== this.#pid) t.fail(`the broker died:\n${broker.stderr.slice(-3000)}`)
    const { errorCode } = await produce(
      this.witness,
      'target',
      0,
      batch(record(0, Buffer.from('still here'))),
    )
    t.equal(errorCode, 0, 'another connection writes')
    t.equal(await this.#stored(), this.#before, 'what was stored is as it was')
  }

  /** It stops in order, and what it held is there after the next start. */
  async restarts(t: Test): Promise<void> {
    this.witness.close()
    t.equal(await this.broker.stop(), 0, 'SIGTERM ends it well')
    await this.broker.start()
    t.equal(await this.#stored(), this.#before, 'what was stored is as it was')
  }

  async #stored(): Promise<string> {
    const hash = createHash('sha256')
    for (const { bytes } of await allBatches(this.broker.bootstrap, 'stored', 0)) hash.update(bytes)
    return hash.digest('hex')
  }

  async #memoryMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8').catch(() => '') // no such thing but on Linux: 0
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
  }

  /** How many MiB the broker grows by, at the most, while something is done to it. */
  async growth(act: () => Promise<void>): Promise<number> {
    const base = await this.#memoryMiB()
    let most = base
    const look = async (): Promise<void> => {
      most = Math.max(most, await this.#memoryMiB())
    }
    const timer = setInterval(() => void look(), 20)
    await act()
    clearInterval(timer)
    return most - base
  }
}
