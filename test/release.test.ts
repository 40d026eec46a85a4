/** An installed release, which has no tests: everything that its commands load is there. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const DEADLINE_MS = 60_000
const install = readFileSync(join(ROOT, 'scripts/install'), 'utf8')
const PARTS = /^PARTS='(.+)'$/m.exec(install)?.[1]?.split(' ') ?? []

let release: string

function run(file: string, ...argv: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(file, argv, {
    encoding: 'utf8',
    timeout: DEADLINE_MS,
  })
  return { status, stdout, stderr }
}

/** The program of a script, started as the script does it when all packages are there. */
function program(script: string, ...argv: readonly string[]) {
  const text = readFileSync(join(release, 'scripts', script), 'utf8')
  const path = /^\s*(?:exec )?node "\$ROOT\/(.+\.ts)" "\$@"$/m.exec(text)?.[1] ?? 'missing'
  return run(process.execPath, join(release, path), ...argv)
}

beforeAll(() => {
  release = mkdtempSync(join(tmpdir(), 'atoll-release-'))
  for (const part of PARTS) cpSync(join(ROOT, part), join(release, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(release, 'node_modules'))
  const link = 'ETC=/etc/atoll; . "$0/engines/install-engines.sh"; link_older_names "$0"'
  expect(run('bash', '-euc', link, release)).toMatchObject({ status: 0, stderr: '' })
})
afterAll(() => rmSync(release, { recursive: true, force: true }))

describe('of an installed release', { timeout: DEADLINE_MS }, () => {
  it.each([
    ['lab', ['--help'], 'exec'],
    ['drill', ['list'], 'host-loss'],
    ['bench', ['list'], 'footprint'],
  ] as const)('scripts/%s starts', (script, argv, expected) => {
    const { status, stdout, stderr } = program(script, ...argv)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(expected)
  })

  it.each(['generate-docs.ts', 'generate-filters.ts', 'generate-wire.ts'])(
    'scripts/%s finds what it imports',
    (script) => {
      const check = `await import(process.argv[1]).catch((e) => { if (e.code === 'ERR_MODULE_NOT_FOUND') throw e })`
      const file = join(release, 'scripts', script)
      expect(run(process.execPath, '--input-type=module', '-e', check, file).stderr).not.toContain(
        'ERR_MODULE_NOT_FOUND',
      )
    },
  )

  it.each(['galera-start', 'galera-watch', 'rabbitmq-start'])(
    'the unit of an older installation still finds scripts/%s',
    (name) => {
      const { status, stdout, stderr } = run(join(release, 'scripts', name), '--help')
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toContain(name)
    },
  )

  it.each(['galera/galera-options.ts', 'galera/galera-heal.ts', 'certificates.ts'])(
    'engines/%s loads',
    (name) => {
      const { stderr } = run(process.execPath, join(release, 'engines', name))
      expect(stderr).not.toMatch(/Cannot find|ERR_/)
      expect(stderr).not.toBe('')
    },
  )
})
