/** An installed release, which has no sources: what its commands need is there. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, extname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const DEADLINE_MS = 60_000
const MAKE_MS = 180_000

let home: string
let release: string

function run(file: string, ...argv: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(file, argv, {
    encoding: 'utf8',
    timeout: MAKE_MS,
  })
  return { status, stdout, stderr }
}

/** As scripts/install makes it, from a checkout or a release. */
const MAKE = `
ROOT=$1 HOME_DIR=$2 CURRENT=$2/current ETC=$2/etc LOG=$2/log
. "$ROOT/scripts/lib.sh"
. "$ROOT/engines/install-engines.sh"
. "$ROOT/scripts/lib-release.sh"
make_release "$HOME_DIR/releases/$(release_name)"
`

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'atoll-release-'))
  expect(run('bash', '-euc', MAKE, 'make', ROOT, home)).toMatchObject({ status: 0 })
  const [name = ''] = readdirSync(join(home, 'releases'))
  release = join(home, 'releases', name)
  // What it was made from is not used.
  rmSync(join(home, 'packages'), { recursive: true })
}, MAKE_MS)
afterAll(() => rmSync(home, { recursive: true, force: true }))

describe('an installed release', { timeout: DEADLINE_MS }, () => {
  it('has programs, the packages that they load, and no sources', () => {
    expect(readdirSync(release).toSorted()).toEqual([
      ...['LICENSE', 'README.md', 'RELEASE', 'bin', 'dist', 'docs', 'engines', 'node_modules'],
      ...['package.json', 'scripts'],
    ])
    const sources = readdirSync(release, { recursive: true, encoding: 'utf8' }).filter(
      (path) => extname(path) === '.ts' && !path.startsWith('node_modules/'),
    )
    expect(sources).toEqual([])
    expect(readdirSync(join(release, 'node_modules')).toSorted()).toEqual([
      ...['.bin', '@koromix', 'netlink', 'node', 'node-gyp-build'],
    ])
  })

  it.each([
    ['atolld', '--version'],
    ['atolld', '--print-config'],
    ['atoll', '--version'],
    ['atoll', 'doctor', '--help'],
  ])('runs %s %s', (program, ...argv) => {
    const { status, stdout, stderr } = run(join(release, 'bin', program), ...argv)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).not.toBe('')
  })

  it('is installed from a copy under its own name, without a registry', () => {
    const other = join(home, 'other')
    mkdirSync(other)
    expect(run('bash', '-euc', MAKE, 'make', release, other)).toMatchObject({ status: 0 })
    expect(readdirSync(other)).toEqual(['releases'])
    expect(readdirSync(join(other, 'releases'))).toEqual([basename(release)])
    const copy = join(other, 'releases', basename(release))
    expect(readdirSync(copy).toSorted()).toEqual(readdirSync(release).toSorted())
  })

  it.each(['bench', 'drill', 'lab', 'test'])('leaves out scripts/%s', (name) => {
    expect(existsSync(join(release, 'scripts', name))).toBe(false)
  })

  it.each(['install', 'engines-guard'])('has scripts/%s', (name) => {
    const { status, stdout, stderr } = run(join(release, 'scripts', name), '--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(name)
  })

  it.each(['galera-start', 'galera-watch', 'rabbitmq-start'])(
    'has scripts/%s for the unit of an older installation',
    (name) => {
      const { status, stdout, stderr } = run(join(release, 'scripts', name), '--help')
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toContain(name)
    },
  )

  it.each([
    ['engines/galera/galera-options.ts', 'galera-start: '],
    ['engines/galera/galera-heal.ts', 'galera-heal: '],
    ['engines/certificates.ts', 'Usage: '],
    ['scripts/proxies.ts', ''],
  ])('runs %s as it was built', (source, said) => {
    const { stderr } = run(join(release, 'bin/script'), release, source)
    expect(stderr).not.toMatch(/Cannot find|ERR_/)
    expect(stderr.startsWith(said)).toBe(true)
  })
})
