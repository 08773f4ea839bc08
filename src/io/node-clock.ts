import type { Clock, Timer } from './world.ts'

/** setTimeout takes a signed 32-bit delay; anything longer would fire at once. */
const delayMsMax = 2 ** 31 - 1

/** The real clock. */
export class NodeClock implements Clock {
  now(): number {
    return Date.now()
  }

  monotonic(): number {
    return performance.now()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let timer: NodeJS.Timeout | null = null
    const arm = (leftMs: number): void => {
      if (leftMs === Infinity) return
      timer =
        leftMs > delayMsMax
          ? setTimeout(arm, delayMsMax, leftMs - delayMsMax)
          : setTimeout(callback, Math.max(0, leftMs))
      timer.unref()
    }
    arm(delayMs)
    return {
      cancel: () => {
        if (timer !== null) clearTimeout(timer)
      },
    }
  }

  soon(callback: () => void): void {
    setImmediate(callback)
  }
}
