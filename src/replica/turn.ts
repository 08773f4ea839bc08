/** What the decisions of one turn have added up to: one batch of changes, and the replies that wait for it. */
import type { ReplyTo } from '../machines/machine.ts'
import { BatchBuilder } from '../records/records.ts'

export class Turn<Change, Reply> {
  readonly changes: Change[] = []
  readonly replies: ReplyTo<Reply>[] = []
  #builder: BatchBuilder | null = null

  /** Of the batch so far. */
  get bytes(): number {
    return this.#builder?.sizeBytes ?? 0
  }

  add(change: Change, record: { key: Buffer; value: Buffer }, wallMs: number): void {
    this.changes.push(change)
    this.#builder ??= new BatchBuilder({ codec: 'none' })
    this.#builder.append({ key: record.key, value: record.value, timestamp: wallMs })
  }

  /** null when nothing has changed. */
  build(): Buffer | null {
    return this.#builder?.build() ?? null
  }
}
