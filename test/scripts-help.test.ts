/** What a script does is said without installing anything, and without root. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const SCRIPTS = resolve(import.meta.dirname, '../scripts')
const NAMED = [
  ...['quickstart', 'test', 'lab', 'drill', 'bench', 'install'],
  ...['make-image', 'make-sample-image', 'make-tiny-guest'],
]

let bin: string

/** Runs a script where everything that installs or fetches fails loudly. */
function run(name: string, ...argv: readonly string[]) {
  const path = `${bin}:${process.env['PATH'] ?? ''}`
  return spawnSync(join(SCRIPTS, name), argv, {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
    timeout: 10_000,
  })
}

beforeAll(() => {
  bin = mkdtempSync(join(tmpdir(), 'atoll-help-'))
  for (const tool of ['apt-get', 'npm', 'node', 'curl', 'dpkg-query', 'docker']) {
    writeFileSync(join(bin, tool), `#!/bin/sh\necho "${tool} was called" >&2\nexit 70\n`)
    chmodSync(join(bin, tool), 0o755)
  }
})
afterAll(() => rmSync(bin, { recursive: true }))

it.each(NAMED)('scripts/%s --help tells how it is used', (name) => {
  const { status, stdout, stderr } = run(name, '--help')
  expect(stderr).toBe('')
  expect(stdout.length).toBeGreaterThan(20)
  expect(status).toBe(0)
})

it.each(['bench', 'drill'])('scripts/%s without a name tells how it is used', (name) => {
  const { status, stderr } = run(name)
  expect(stderr).toContain(`scripts/${name} NAME`)
  expect(stderr).not.toContain('was called')
  expect(status).toBe(2)
})
