/** Markdown for the drills' pages: tables, and text between a page's markers. */

/** A table with this head. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [head, head.map(() => '---'), ...rows].map(line).join('\n')
}

/** The page with the text between its markers replaced. Throws when a marker is missing. */
export function replacedBetween(page: string, begin: string, end: string, text: string): string {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined)
    throw new Error(`the page lacks ${begin} … ${end}`)
  return `${before}${begin}\n\n${text}\n\n${end}${after}`
}
