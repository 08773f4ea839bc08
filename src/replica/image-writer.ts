/** When a machine's next image is due, by what has changed since the last, and its way to the disk. One is written at a time. */
import { Faulted } from '../base/errors.ts'
import type { Log } from '../log/log.ts'

export interface ImageSettings {
  readonly imageEveryBytes: number
  readonly imageEveryChanges: number
}

export class ImageWriter {
  readonly #settings: ImageSettings
  readonly #log: Log
  #changes = 0
  #bytes = 0
  #isWriting = false

  constructor(settings: ImageSettings, log: Log) {
    this.#settings = settings
    this.#log = log
  }

  get isDue(): boolean {
    if (this.#isWriting) return false
    return this.#changes >= this.#settings.imageEveryChanges || this.#bytes >= this.#settings.imageEveryBytes
  }

  changed(changes: number, bytes: number): void {
    this.#changes += changes
    this.#bytes += bytes
  }

  /** An image must not know more than the log does after a crash. */
  isDurable(offset: number): boolean {
    return this.#log.offsetAt(this.#log.durablePosition) >= offset
  }

  /**
   * Writes the state at `offset`. Counts from here, also when it fails, so that a full disk is not tried at every change: without
   * a new image the log is kept, and the next one will do. Returns the fault, or null.
   */
  async write(offset: number, image: Buffer): Promise<Faulted | null> {
    this.#isWriting = true
    this.#changes = 0
    this.#bytes = 0
    try {
      await this.#log.images.write(offset, Math.max(0, this.#log.epochOf(offset - 1)), image)
      return null
    } catch (error) {
      if (error instanceof Faulted) return error
      throw error
    } finally {
      this.#isWriting = false
    }
  }
}
