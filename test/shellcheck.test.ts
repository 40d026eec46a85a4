/** Every shell program of the checkout passes shellcheck. */
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from './fresh/documented.ts'

const SHEBANG = /^#!.*\b(?:ba|da)?sh\b/
const HEAD_BYTES = 64

/** The first bytes of a file of the checkout, as text. */
function headOf(path: string): string {
  const file = openSync(join(ROOT, path), 'r')
  try {
    const head = Buffer.alloc(HEAD_BYTES)
    return head.toString('latin1', 0, readSync(file, head))
  } finally {
    closeSync(file)
  }
}

const tracked = execFileSync('git', ['-C', ROOT, 'ls-files', '-z', '--', ':!*.ts', ':!*.md'], {
  encoding: 'utf8',
})
const programs = tracked
  .split('\0')
  .filter((path) => path.endsWith('.sh') || (path !== '' && SHEBANG.test(headOf(path))))

it('finds the shell programs', () => {
  expect(programs).toEqual(
    expect.arrayContaining(['bin/atolld', 'scripts/lib.sh', 'src/containers/guest-entry.sh']),
  )
})

it('shellcheck finds nothing in them', { timeout: 120_000 }, () => {
  const args = ['--external-sources', '--severity=warning', '--format=gcc', ...programs]
  const { stdout, error } = spawnSync('shellcheck', args, { cwd: ROOT, encoding: 'utf8' })
  expect(error, 'shellcheck is missing (Debian: apt-get install shellcheck)').toBeUndefined()
  expect(stdout).toBe('')
})
