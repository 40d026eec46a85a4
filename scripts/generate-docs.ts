/**
 * Writes what the docs have from the code: the table of settings from the schema in
 * `src/config.ts`, and the list of actions from `src/api/actions`. A test checks that the pages
 * have what this writes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { allActions } from '../src/api/actions/all.ts'
import { settingsReference } from '../src/config-file.ts'
import { wrapMarkdown } from './wrap-markdown.ts'

const DOCS = join(import.meta.dirname, '../docs')

/** The pages that have a generated part, as they are to be, by their names in docs/. */
export function generatedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['configuration.md', withPart(readPage('configuration.md'), 'settings', settings())],
    ['api.md', withPart(readPage('api.md'), 'actions', actions())],
  ])
}

/** A page of docs/ as it is. */
export function readPage(name: string): string {
  return readFileSync(join(DOCS, name), 'utf8')
}

/** A page with this text between the marks of a part. Throws when it has no such marks. */
export function withPart(page: string, part: string, text: string): string {
  const mark = `<!-- ${part}: written by scripts/generate-docs.ts -->`
  const begin = page.indexOf(mark)
  const end = page.indexOf(`<!-- end of ${part} -->`)
  if (begin === -1 || end < begin) throw new Error(`the page has no place for the ${part}`)
  return `${page.slice(0, begin + mark.length)}\n${text}\n${page.slice(end)}`
}

/** Names are joined by commas, and lines are as long as a reader of the source likes them. */
function actions(): string {
  const sorted = allActions.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const carriedOut = sorted.filter(({ isAbsent }) => isAbsent !== true).map(({ name }) => name)
  const empty = sorted.filter(({ isAbsent }) => isAbsent === true).map(({ name }) => name)
  return wrapMarkdown(
    `${carriedOut.join(', ')}. Answered with an empty list, because there is nothing of the kind: ${empty.join(', ')}.`,
  )
}

function settings(): string {
  const rows = settingsReference().map(
    ({ key, default: value, description }) =>
      `| \`${key}\` | \`${value}\` | ${description.replaceAll('|', '\\|')} |`,
  )
  return ['| key | default | what it is |', '|---|---|---|', ...rows].join('\n')
}

if (import.meta.main)
  for (const [name, text] of generatedPages()) writeFileSync(join(DOCS, name), text)
