/** What the `atoll` command prints: a document as JSON, or a table of it. */
import Table from 'cli-table3'

/** `--json` */
export interface Output {
  readonly json?: boolean
}

/** A line on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Either the document itself or what `render` makes of it. */
export function show<T>(output: Output, document: T, render: (document: T) => string): void {
  print(output.json === true ? JSON.stringify(document, null, 2) : render(document))
}

/** Aligned columns without lines around them: easy on the eye and on `awk`. */
export function columns(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
  }
  const also = {
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
  }
  const table = new Table({
    head: [...head],
    chars: { ...none, ...also, right: '', 'right-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push(row.map((cell) => cell ?? '-'))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
