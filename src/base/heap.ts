/**
 * A binary heap of keys, least priority first, in which the priority of a key can be changed and a key removed:
 * O(log n) each, `min` O(1). (A plain heap with stale entries was rejected: it grows with every change.)
 */
import { assert } from './assert.ts'

interface Entry<K> {
  readonly key: K
  priority: number
}

export class KeyedHeap<K> {
  readonly #entries: Entry<K>[] = []
  readonly #positions = new Map<K, number>()

  get size(): number {
    return this.#entries.length
  }

  /** The key with the least priority; undefined when the heap is empty. */
  get min(): { readonly key: K; readonly priority: number } | undefined {
    return this.#entries[0]
  }

  priorityOf(key: K): number | undefined {
    const position = this.#positions.get(key)
    return position === undefined ? undefined : this.#at(position).priority
  }

  /** Puts a key in, or moves it. */
  set(key: K, priority: number): void {
    assert(!Number.isNaN(priority), 'a priority is a number')
    const position = this.#positions.get(key)
    if (position === undefined) {
      this.#place({ key, priority }, this.#entries.length)
      this.#rise(this.#entries.length - 1)
      return
    }
    const entry = this.#at(position)
    const isLess = priority < entry.priority
    entry.priority = priority
    if (isLess) this.#rise(position)
    else this.#sink(position)
  }

  /** Answers whether the key was there. */
  delete(key: K): boolean {
    const position = this.#positions.get(key)
    if (position === undefined) return false
    this.#positions.delete(key)
    const last = this.#entries.pop()
    assert(last !== undefined, 'a heap that has a position has an entry')
    if (position < this.#entries.length) {
      this.#place(last, position)
      this.#rise(position)
      this.#sink(position)
    }
    return true
  }

  clear(): void {
    this.#entries.length = 0
    this.#positions.clear()
  }

  /** Keys whose priority is at most `bound`, at most `limit` of them, in no order. Costs what it answers, not the heap. */
  upTo(bound: number, limit: number): K[] {
    const keys: K[] = []
    const open = [0]
    for (let position = open.pop(); position !== undefined; position = open.pop()) {
      const entry = this.#entries[position]
      if (entry === undefined || entry.priority > bound) continue
      if (keys.length === limit) break
      keys.push(entry.key)
      open.push(2 * position + 2, 2 * position + 1)
    }
    return keys
  }

  #rise(from: number): void {
    const entry = this.#at(from)
    let position = from
    while (position > 0) {
      const above = (position - 1) >> 1
      const parent = this.#at(above)
      if (parent.priority <= entry.priority) break
      this.#place(parent, position)
      position = above
    }
    this.#place(entry, position)
  }

  #sink(from: number): void {
    const entry = this.#at(from)
    let position = from
    for (;;) {
      const left = 2 * position + 1
      if (left >= this.#entries.length) break
      const right = left + 1
      const isRight = right < this.#entries.length && this.#at(right).priority < this.#at(left).priority
      const below = isRight ? right : left
      const child = this.#at(below)
      if (child.priority >= entry.priority) break
      this.#place(child, position)
      position = below
    }
    this.#place(entry, position)
  }

  #place(entry: Entry<K>, position: number): void {
    this.#entries[position] = entry
    this.#positions.set(entry.key, position)
  }

  #at(position: number): Entry<K> {
    const entry = this.#entries[position]
    assert(entry !== undefined, 'a position lies inside the heap')
    return entry
  }
}
