/** What a plot shows, apart from how it is drawn. */

export interface PlotHead {
  /** The name of its file, without the ending. */
  readonly name: string
  readonly title: string
  /** What is plotted, and in which unit. */
  readonly unit: string
  readonly better: 'higher' | 'lower'
}

export interface Aim {
  readonly value: number
  readonly kind: 'at least' | 'at most'
}

/** One row of bars: a value for each series; null: not measured. */
export interface BarRow {
  readonly label: string
  readonly values: readonly (number | null)[]
  readonly aim?: Aim
}

export interface BarPlot extends PlotHead {
  readonly kind: 'bars'
  /** At most four: more colours are not told apart. */
  readonly series: readonly string[]
  readonly rows: readonly BarRow[]
  /** What ratios are to. */
  readonly reference?: { readonly value: number; readonly label: string }
}

export interface Line {
  readonly name: string
  /** In the order of the ticks; null: not measured. */
  readonly values: readonly (number | null)[]
}

export interface LinePlot extends PlotHead {
  readonly kind: 'lines'
  readonly x: { readonly label: string; readonly ticks: readonly string[] }
  readonly isLogarithmic: boolean
  readonly lines: readonly Line[]
  readonly aim?: Aim
}

export type Plot = BarPlot | LinePlot
