/**
 * Writes the README's table of settings from the schema in `src/config.ts`, and its list of actions from `src/api/actions`. A test checks that
 * the README has what this writes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ABSENT_ACTIONS } from '../src/api/actions/absent.ts'
import { allActions } from '../src/api/actions/all.ts'
import { settingsReference } from '../src/config-file.ts'

const README = join(import.meta.dirname, '../README.md')
/** The README with its tables as the code has them. */
export function withReference(readme: string): string {
  return withPart(withPart(readme, 'settings', settings()), 'actions', actions())
}

function withPart(readme: string, part: string, text: string): string {
  const mark = `<!-- ${part}: written by scripts/generate-docs.ts -->`
  const begin = readme.indexOf(mark)
  const end = readme.indexOf(`<!-- end of ${part} -->`)
  if (begin === -1 || end < begin) throw new Error(`the README has no place for the ${part}`)
  return `${readme.slice(0, begin + mark.length)}\n${text}\n${readme.slice(end)}`
}

/** Names are joined by commas, and lines are as long as a reader of the source likes them. */
function actions(): string {
  const names = allActions.map(({ name }) => name).toSorted()
  const carriedOut = names.filter((name) => !ABSENT_ACTIONS.includes(name))
  const empty = names.filter((name) => ABSENT_ACTIONS.includes(name))
  return wrap(
    `${carriedOut.join(', ')}. Answered with an empty list, because there is nothing of the kind: ${empty.join(', ')}.`,
  )
}

const LINE_LENGTH = 140

function wrap(text: string): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < LINE_LENGTH)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}

function settings(): string {
  const rows = settingsReference().map(
    ({ key, default: value, description }) =>
      `| \`${key}\` | \`${value}\` | ${description.replaceAll('|', '\\|')} |`,
  )
  return ['| key | default | what it is |', '|---|---|---|', ...rows].join('\n')
}

/** The README as it is committed. */
export function readReadme(): string {
  return readFileSync(README, 'utf8')
}

if (import.meta.main) writeFileSync(README, withReference(readReadme()))
