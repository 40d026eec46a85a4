/** How docs/compatibility.md is written. Pure. */
import { wrapMarkdown } from '../../scripts/wrap-markdown.ts'
import type { ClientRecord } from './compatibility.ts'

const BEGINNING = `# Compatibility

What clients that others wrote do with Atoll, unmodified. \`scripts/compatibility\` runs them and writes this page. It
installs their Debian packages first. Each client runs against a whole daemon with a Docker engine of its own, in a
network namespace. Where a client needs something that Atoll does not have, that is excluded, with the reason.
`

/**
 * The page, in which these clients have new parts; the others keep those that the page had before.
 * `today` is the date of the run.
 */
export function compatibilityPage(
  records: readonly ClientRecord[],
  before: string,
  today: string,
): string {
  const parts = new Map(
    before
      .split(/^(?=## )/m)
      .slice(1)
      .map((part) => [/^## (.*)$/m.exec(part)?.[1] ?? '', part.trimEnd()]),
  )
  for (const record of records) parts.set(record.client, partOf(record, today))
  const sorted = [...parts].toSorted(([a], [b]) => a.localeCompare(b, 'en'))
  return `${[BEGINNING.trimEnd(), ...sorted.map(([, part]) => part)].join('\n\n')}\n`
}

function partOf({ client, version, about, rows, excluded }: ClientRecord, today: string): string {
  const passed = rows.filter((row) => row.passed).length
  const lines = [
    `## ${client}`,
    wrapMarkdown(
      `Version ${version}, run on ${today}: ${passed} of ${rows.length} passed, ${excluded.length} excluded. ${about}`,
    ),
    table(
      ['what', 'result'],
      rows.map((row) => [row.what, row.passed ? 'passed' : `**failed**: ${row.said}`]),
    ),
  ]
  if (excluded.length > 0)
    lines.push(
      table(
        ['excluded', 'why'],
        excluded.map(({ what, why }) => [what, why]),
      ),
    )
  return lines.join('\n\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}
