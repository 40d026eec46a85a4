/**
 * Writes `docs/api/`: a page for each action that Atoll carries out, with its parameters, filters,
 * errors, and what differs from EC2.
 *
 * Parameters and filters are those of the coverage page. What an action is for is the comment of
 * its source. Errors are the codes in the functions that it reaches by name. A call through a value
 * (a table, an argument) is not followed, so it may have further ones. A test checks that the
 * committed pages are what this writes.
 */
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as ec2 from '@aws-sdk/client-ec2'
import type { Action } from '../src/api/action.ts'
import { allActions } from '../src/api/actions/all.ts'
import { ERROR_STATUS } from '../src/model/errors.ts'
import { filtersOf, type Parameter, parametersOf, shown } from './generate-coverage.ts'
import { wrapMarkdown } from './wrap-markdown.ts'

const ROOT = join(import.meta.dirname, '..')
const DIRECTORY = join(ROOT, 'docs/api')
const INDEX = 'README.md'

/** What is at the top level of a source file. */
interface Declaration {
  readonly file: string
  /** The text of the comment before it. */
  readonly comment: string
  readonly code: string
}

/** Files with what they declare, and the names that they import from others. */
type Declarations = ReadonlyMap<
  string,
  {
    readonly own: ReadonlyMap<string, Declaration>
    readonly imports: ReadonlyMap<string, string>
  }
>

/** The pages as the code has them, by name of their file. */
export function reference(): ReadonlyMap<string, string> {
  const declarations = readDeclarations()
  const actions = allActions.filter(({ name, isAbsent }) => isAbsent !== true && `${name}$` in ec2)
  const pages = actions.map((action): [string, string] => [
    `${action.name}.md`,
    page(action, declarations),
  ])
  return new Map([[INDEX, index(actions)], ...pages])
}

/** The pages as they are committed. */
export function readReference(): ReadonlyMap<string, string> {
  const files = globSync('*.md', { cwd: DIRECTORY })
  return new Map(files.map((file) => [file, readFileSync(join(DIRECTORY, file), 'utf8')]))
}

const HEAD = '<!-- Written by scripts/generate-reference.ts; do not edit. -->'

function index(actions: readonly Action[]): string {
  const links = actions
    .map(({ name }) => name)
    .toSorted()
    .map((name) => `- [${name}](${name}.md)`)
  const intro =
    'A page for each action that Atoll carries out. [coverage.md](../coverage.md) has all of EC2 on one page. Every action may also be refused because of the request itself: `AuthFailure`, `InvalidParameterValue`, `MissingParameter`, `UnsupportedOperation`, `DryRunOperation`, `RequestLimitExceeded`, `Unavailable`.'
  return [HEAD, '# API reference', wrapMarkdown(intro), links.join('\n'), ''].join('\n\n')
}

function page(action: Action, declarations: Declarations): string {
  const { name } = action
  const own = declarationOf(action, declarations)
  const parameters = parametersOf(action)
  const { works, nothing } = filtersOf(action)
  const errors = own === undefined ? [] : errorsOf(own, declarations)
  const parts = [
    HEAD,
    `# ${name}`,
    ...(own === undefined || own.comment === '' ? [] : [wrapMarkdown(own.comment)]),
    `EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_${name}.html`,
    ...(parameters.length === 0 ? [] : ['## Parameters', table(parameters)]),
    ...section('## Filters', works),
    ...section('Filters of what Atoll does not have, which match nothing:', nothing),
    ...section(
      '## Errors',
      errors.map((code) => `${code} (${ERROR_STATUS[code]})`),
    ),
  ]
  return `${parts.join('\n\n')}\n`
}

function section(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0
    ? []
    : [title, wrapMarkdown(items.map((item) => `\`${item}\``).join(', '))]
}

function table(parameters: readonly Parameter[]): string {
  const rows = parameters.map((one) => `| \`${one.name}\` | ${one.type} | ${remark(one)} |`)
  return ['| parameter | type | |', '|---|---|---|', ...rows].join('\n')
}

function remark({ kind, only, isRequired }: Parameter): string {
  switch (kind) {
    case 'taken':
      return isRequired ? 'required' : ''
    case 'only':
      return `only ${shown(only)}`
    case 'none':
      return 'no effect'
    case 'shown':
      return 'no effect, but shown again'
    case 'refused':
      return 'refused'
  }
}

const BEGINNING = /^(?:export )?(?:async )?(?:function|const|class|interface|type) (?<name>\w+)/gm
const IMPORT = /^import (?:type )?\{(?<names>[^}]*)\} from '(?<from>\.[^']*)'/gm
const COMMENT = /\/\*\*(?<text>(?:(?!\*\/)[\s\S])*)\*\/\s*$/

/** What the sources of the API and of what it uses declare, by file and name. */
function readDeclarations(): Declarations {
  const files = globSync('src/{api,store,model,plan}/**/*.ts', { cwd: ROOT })
    // It has the table of all codes.
    .filter((file) => file !== 'src/model/errors.ts')
    .toSorted()
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8')
      const begins = [...text.matchAll(BEGINNING)]
      const own = begins.map((match, at): [string, Declaration] => {
        const name = match.groups?.['name'] ?? ''
        const before = text.slice(begins[at - 1]?.index ?? 0, match.index)
        const comment = plain(COMMENT.exec(before)?.groups?.['text'] ?? '')
        return [name, { file, comment, code: text.slice(match.index, begins[at + 1]?.index) }]
      })
      return [file, { own: new Map(own), imports: importsOf(file, text) }]
    }),
  )
}

/** The names that a file imports from files of ours, with those files. */
function importsOf(file: string, text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(IMPORT)].flatMap(({ groups }) => {
      const from = join(dirname(file), groups?.['from'] ?? '')
      const names = (groups?.['names'] ?? '').split(',')
      return names.map((name): [string, string] => [name.replace('type ', '').trim(), from])
    }),
  )
}

/** A comment as one paragraph. */
function plain(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join(' ')
    .replaceAll(/https:\/\/docs\.aws\.amazon\.com\S*API_\S+/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The declaration that makes the action: the one that has its name in it. */
function declarationOf({ name }: Action, declarations: Declarations): Declaration | undefined {
  const variable = `${name.charAt(0).toLowerCase()}${name.slice(1)}`
  const found = [...declarations.values()].flatMap(({ own }) => own.get(variable) ?? [])
  return found.find(({ file, code }) => file.includes('/actions/') && code.includes(`'${name}'`))
}

/** The codes in the code that is reached by name. */
function errorsOf(
  own: Declaration,
  declarations: Declarations,
): readonly (keyof typeof ERROR_STATUS)[] {
  const reached = new Set<Declaration>()
  const waiting = [own]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (reached.has(next)) continue
    reached.add(next)
    const known = declarations.get(next.file)
    for (const word of new Set(next.code.match(/\b[a-zA-Z]\w+\b/g))) {
      const from = known?.imports.get(word)
      const found = known?.own.get(word) ?? declarations.get(from ?? '')?.own.get(word)
      if (found !== undefined) waiting.push(found)
    }
  }
  const text = [...reached].map(({ code }) => code).join('\n')
  const codes = Object.keys(ERROR_STATUS) as (keyof typeof ERROR_STATUS)[]
  return codes.filter((code) => text.includes(`'${code}'`)).toSorted()
}

if (import.meta.main) {
  const pages = reference()
  for (const file of readReference().keys())
    if (!pages.has(file)) rmSync(join(DIRECTORY, basename(file)))
  for (const [file, text] of pages) writeFileSync(join(DIRECTORY, file), text)
}
