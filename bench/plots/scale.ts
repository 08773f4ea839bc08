/** From figures to places, and the round figures among them. */

export interface Scale {
  readonly ticks: readonly number[]
  at(value: number): number
}

/** From nothing to a little more than `most`. */
export function linear(most: number, [from, to]: readonly [number, number]): Scale {
  const step = niceStep(most / 5)
  const last = Math.max(step, Math.ceil(most / step - 1e-9) * step)
  const ticks = Array.from({ length: Math.round(last / step) + 1 }, (_, n) => n * step)
  return { ticks, at: (value) => from + (value / last) * (to - from) }
}

/** From the power of ten below `least` to the one above `most`. */
export function logarithmic(least: number, most: number, [from, to]: readonly [number, number]): Scale {
  const first = Math.floor(Math.log10(least) + 1e-9)
  const last = Math.max(first + 1, Math.ceil(Math.log10(most) - 1e-9))
  const ticks = Array.from({ length: last - first + 1 }, (_, n) => 10 ** (first + n))
  return { ticks, at: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from) }
}

function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)))
  const factor = [1, 2, 2.5, 5, 10].find((one) => one * power >= least - 1e-12) ?? 10
  return factor * power
}
