/** AbortSignals of callers. The name says what is aborted. */
import { Aborted } from './errors.ts'

export interface CallOptions {
  /** Ends the wait with an `Aborted`. What was asked may yet happen. */
  readonly signal?: AbortSignal | undefined
}

/** The outcome of `promise`, or a rejection as soon as the signal is aborted. Leaves no listener. */
export function abortable<T>(promise: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(new Aborted(what, signal.reason))
    const settle = (): void => signal.removeEventListener('abort', abort)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(
      (value) => {
        settle()
        resolve(value)
      },
      (cause: unknown) => {
        settle()
        reject(cause)
      },
    )
    if (signal.aborted) abort()
  })
}
