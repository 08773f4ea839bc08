/**
 * A folder of the simulated disk: its names as a process sees them, and as a loss of power would leave them.
 */
import type { SeededRandom } from './seeded-random.ts'
import type { SimContent } from './sim-content.ts'

export type SimNode = SimContent | SimFolder

/** One change of names: survives a loss of power as a whole or not at all, as in a file system with a journal. */
interface Change {
  readonly steps: readonly Step[]
}

/** What a change does in one folder; `turn` counts the steps of that folder. */
interface Step {
  readonly folder: SimFolder
  readonly name: string
  readonly node: SimNode | null
  readonly turn: number
}

export class SimFolder {
  readonly #entries = new Map<string, SimNode>()
  readonly #durable = new Map<string, SimNode>()
  /** By name: the turn of the last step that is durable. */
  readonly #durableTurns = new Map<string, number>()
  #turn = 0
  #pending: Change[] = []
  /** Without it nothing is kept for a loss of power: what is removed is gone. */
  readonly #isTracked: boolean

  constructor(isTracked: boolean) {
    this.#isTracked = isTracked
  }

  names(): IterableIterator<string> {
    return this.#entries.keys()
  }

  get(name: string): SimNode | undefined {
    return this.#entries.get(name)
  }

  set(name: string, node: SimNode): void {
    this.#change([{ folder: this, name, node }])
  }

  delete(name: string): void {
    this.#change([{ folder: this, name, node: null }])
  }

  move(name: string, target: SimFolder, targetName: string): void {
    const node = this.#entries.get(name)
    if (node === undefined) return
    this.#change([
      { folder: this, name, node: null },
      { folder: target, name: targetName, node },
    ])
  }

  get pendingCount(): number {
    return this.#pending.length
  }

  settle(count: number): void {
    for (const change of this.#pending.splice(0, count)) SimFolder.makeDurable(change)
  }

  settleAll(): void {
    this.settle(this.#pending.length)
    for (const node of this.#entries.values()) {
      if (node instanceof SimFolder) node.settleAll()
      else node.settle(node.pendingCount)
    }
  }

  losePower(random: SeededRandom): void {
    for (const change of this.#pending) if (random.chance(0.5)) SimFolder.makeDurable(change)
    this.#pending = []
    this.#entries.clear()
    for (const [name, node] of this.#durable) {
      this.#entries.set(name, node)
      node.losePower(random)
    }
  }

  bytes(): number {
    let bytes = 0
    for (const node of this.#entries.values()) bytes += node instanceof SimFolder ? node.bytes() : node.size
    return bytes
  }

  #change(parts: readonly Omit<Step, 'turn'>[]): void {
    const steps = parts.map((part) => ({ ...part, turn: ++part.folder.#turn }))
    const change = { steps }
    for (const { folder, name, node } of steps) {
      if (node === null) folder.#entries.delete(name)
      else folder.#entries.set(name, node)
    }
    if (!this.#isTracked) return
    for (const folder of new Set(steps.map((step) => step.folder))) folder.#pending.push(change)
  }

  /**
   * A move waits in both of its folders and becomes durable with the first that is synced. When the other one is, the name may
   * long be that of something newer, which it must not take away.
   */
  static makeDurable(change: Change): void {
    for (const { folder, name, node, turn } of change.steps) {
      if (turn <= (folder.#durableTurns.get(name) ?? 0)) continue
      folder.#durableTurns.set(name, turn)
      if (node === null) folder.#durable.delete(name)
      else folder.#durable.set(name, node)
    }
  }
}

/** The names of a path, from the root. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
