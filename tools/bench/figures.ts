/** The result of a benchmark, and how it is printed. */

interface Target {
  readonly text: string
  readonly measured: string
  readonly met: boolean
}

export interface BenchResult {
  readonly name: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly targets: readonly Target[]
  /** Notes on what was measured or left out. */
  readonly notes: readonly string[]
  /** Every single figure, by series. */
  readonly raw: Readonly<Record<string, readonly number[]>>
}

export interface Benchmark {
  readonly name: string
  readonly about: string
  run(progress: (line: string) => void): Promise<BenchResult>
}

/** The value below which `share` (0 to 1) of the figures lie: nearest rank. */
export function quantile(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const value =
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]
  if (value === undefined) throw new RangeError('no figures')
  return value
}

/** A result as a Markdown table with its targets. */
export function markdown({ name, head, rows, targets, notes }: BenchResult): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    `### ${name}`,
    '',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
    ...targets.map(
      ({ text, measured, met }) => `- ${met ? 'met' : 'MISSED'}: ${text}; measured ${measured}`,
    ),
    ...notes.map((note) => `- ${note}`),
    '',
  ].join('\n')
}
