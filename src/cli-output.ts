/** Output of the `atoll` command: a document as JSON, or as a table. */
import Table from 'cli-table3'

/** `--json` */
export interface Output {
  readonly json?: boolean
}

/** Prints a line on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Prints the document as JSON with `--json`, otherwise as `render` shows it. */
export function show<T>(output: Output, document: T, render: (document: T) => string): void {
  print(output.json === true ? JSON.stringify(document, null, 2) : render(document))
}

/** Aligned columns without borders, easy to read for people and for `awk`. */
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
