/** Writes the README's table of settings from the schema in `src/config.ts`. A test checks that the README has what this writes. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { settingsReference } from '../src/config-file.ts'

const README = join(import.meta.dirname, '../README.md')
const BEGIN = '<!-- settings: written by scripts/generate-docs.ts -->'
const END = '<!-- end of settings -->'

/** The README with its table of settings as the schema has it. */
export function withSettings(readme: string): string {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin === -1 || end < begin) throw new Error('the README has no place for the settings')
  const rows = settingsReference().map(
    ({ key, default: value, description }) =>
      `| \`${key}\` | \`${value}\` | ${description.replaceAll('|', '\\|')} |`,
  )
  const table = ['| key | default | what it is |', '|---|---|---|', ...rows].join('\n')
  return `${readme.slice(0, begin + BEGIN.length)}\n${table}\n${readme.slice(end)}`
}

/** The README as it is committed. */
export function readReadme(): string {
  return readFileSync(README, 'utf8')
}

if (import.meta.main) writeFileSync(README, withSettings(readReadme()))
