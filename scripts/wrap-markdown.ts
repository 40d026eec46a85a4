/** Wraps generated Markdown, for the pages under docs/. Pure. */

const LINE_LENGTH = 120

/** Breaks a paragraph, or one item of a list, into lines of at most 120 columns. */
export function wrapMarkdown(text: string): string {
  const indent = text.startsWith('- ') ? '  ' : ''
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < LINE_LENGTH)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(lines.length === 0 ? word : `${indent}${word}`)
  }
  return lines.join('\n')
}
