/**
 * Every command that README and docs show is tried on a fresh machine (test/fresh/), or a reason
 * says why it is not.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { drills } from '../tools/drills/all.ts'
import { attacks } from '../tools/drills/neighbours/run.ts'
import { documented, pages, ROOT } from './fresh/documented.ts'
import { NOT_TRIED, SESSIONS } from './fresh/sessions.ts'

/** A path in the checkout. */
const FILE = /(?<![\w/.-])((?:scripts|vagrant|test|docs|src|bin)\/[\w./*-]*\w)/g

const shown = pages().flatMap((page) => documented(page))
const tried = new Set(Object.values(SESSIONS).flatMap((steps) => steps.map(({ shows }) => shows)))

/** Whether an entry of NOT_TRIED is about this command. */
function isMeant(entry: string, text: string): boolean {
  return entry.endsWith(' …') ? text.startsWith(entry.slice(0, -2)) : entry === text
}

/** The comment that names all commands (scripts-help.test.ts). */
const COMMANDS = readFileSync(join(ROOT, 'bin/atoll'), 'utf8')

/** Whether it names one without saying of what, as prose does: `atoll forget`. */
function isName(text: string): boolean {
  const [program, name = '', ...more] = text.split(' ')
  return program === 'atoll' && more.length === 0 && new RegExp(`\\b${name}\\b`).test(COMMANDS)
}

/** Drills, attacks and benchmarks are run one of a kind; the others only must exist. */
function isOneOfMany(text: string): boolean {
  const [program = '', name = '', attack] = text.split(' ')
  if (program === 'scripts/bench') return existsSync(join(ROOT, `tools/bench/${name}.ts`))
  if (program !== 'scripts/drill') return false
  if (name === 'consistency') return true
  if (name !== 'neighbours') return drills.some((drill) => drill.name === name)
  return attack === undefined || attack === 'NAME' || attacks.some((one) => one.name === attack)
}

describe('commands of README and docs', () => {
  it('are found', () => {
    expect(shown.length).toBeGreaterThan(100)
    expect(new Set(shown.map(({ at }) => at.split(':')[0])).size).toBeGreaterThan(5)
  })

  it.each(shown)('$at: $text', ({ text }) => {
    const reason = Object.keys(NOT_TRIED).find((entry) => isMeant(entry, text))
    const dealtWith = tried.has(text) || reason !== undefined || isOneOfMany(text) || isName(text)
    expect(dealtWith, 'give it in a session of test/fresh/sessions.ts, or say there why not').toBe(
      true,
    )
  })

  it.each([...tried].filter((text) => text !== null))(
    'a session gives what a page shows: %s',
    (text) => {
      expect(shown.some((one) => one.text === text)).toBe(true)
    },
  )

  it.each(Object.keys(NOT_TRIED))('what is not tried is still shown: %s', (entry) => {
    expect(shown.some(({ text }) => isMeant(entry, text))).toBe(true)
  })

  it('name files that are there', () => {
    const prose = pages().map((page) => readFileSync(join(ROOT, page), 'utf8'))
    const named = [...prose.join('\n').matchAll(FILE)].map(([, path = '']) => path)
    const missing = named.filter((path) => globSync(path, { cwd: ROOT }).length === 0)
    expect([...new Set(missing)]).toStrictEqual([])
  })
})

/** `[text](target)`; a picture's, too. */
const LINK = /\]\(([^()\s]+)\)/g
/** Pages that are read on their own, beside those that show commands. */
const READ = [...pages(), 'src/README.md', 'test/README.md', 'test/attack/README.md']
/** What GitHub makes of a heading (https://docs.github.com, "Section links"). */
function anchorsOf(page: string): readonly string[] {
  const text = readFileSync(page, 'utf8').replaceAll(/^```.*?^```/gms, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe('pages', () => {
  const links = READ.flatMap((page) =>
    [...readFileSync(join(ROOT, page), 'utf8').matchAll(LINK)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => ({ page, target })),
  )

  it.each(links)('$page: $target leads to a page and to a heading that it has', (link) => {
    const [path = '', anchor] = link.target.split('#')
    const file = path === '' ? join(ROOT, link.page) : join(ROOT, dirname(link.page), path)
    expect(existsSync(file)).toBe(true)
    if (anchor !== undefined) expect(anchorsOf(file)).toContain(anchor)
  })

  it.each(globSync('docs/*.md', { cwd: ROOT }))('the README lists %s', (page) => {
    expect(links).toContainEqual({ page: 'README.md', target: page })
  })

  it.each(READ)('%s is wrapped', (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
      .replaceAll(/^```.*?^```/gms, '')
      .replaceAll(/^<!-- .* written by .*?^<!-- (?:end of|\/).*?$/gms, '')
    const long = text.split('\n').filter((line) => line.length > 130 && !/^[|#<]/.test(line))
    expect(long).toStrictEqual([])
  })

  it('the README is short', () => {
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n').length).toBeLessThan(151)
  })
})

describe('documented()', () => {
  it('joins lines, leaves comments out, and finds commands in prose', () => {
    const text =
      'a `scripts/lab up\n--hosts 2` and `scripts/lab`\n\n```sh\nec2 x \\\n  --y    # why\n# z\n```\n'
    expect(documented('page', text).map((one) => one.text)).toStrictEqual([
      'scripts/lab up --hosts 2',
      'ec2 x --y',
    ])
  })

  it('refuses a command in a block that does not say what it is', () => {
    expect(() => documented('page', '```\natoll hosts\n```\n')).toThrow('page:2')
  })
})

/**
 * What makes lists of packages: calls of `ensure_packages`, and functions whose names end in
 * `_packages` and that print one.
 */
const LISTS =
  /^\s*(?:ensure_packages|\w+_packages\(\) \{ echo|^ {2}echo) +([a-z0-9][a-z0-9 .+-]*)/gm
/**
 * Parts of what is installed anyhow: the Node of the npm package wants two, Debian's python3 brings
 * one.
 */
const DEPENDENCIES = ['libatomic1', 'libstdc++6', 'python3-minimal']

/** Packages that a script asks for. */
function packagesOf(script: string): readonly string[] {
  const text = readFileSync(join(ROOT, script), 'utf8').replaceAll('\\\n', ' ')
  return [...text.matchAll(LISTS)].flatMap(([, list = '']) => list.trim().split(/\s+/))
}

it('scripts/test installs what any script installs, so that nothing is missing where they are tried', () => {
  const scripts = ['quickstart', 'install', 'lab', 'drill', 'bench', 'make-image', 'lib.sh']
  const paths = [...scripts.map((name) => `scripts/${name}`), 'engines/install-engines.sh']
  const wanted = paths.flatMap(packagesOf)
  expect(wanted).toEqual(expect.arrayContaining(['mmdebstrap', 'galera-4', 'xorriso', 'faketime']))
  const all = new Set([...packagesOf('scripts/test'), ...DEPENDENCIES])
  expect(wanted.filter((name) => !all.has(name))).toStrictEqual([])
})
