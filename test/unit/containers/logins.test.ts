import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loginFor } from '../../../src/containers/logins.ts'
import type { Log } from '../../../src/lib/log.ts'
import type { Runner } from '../../../src/lib/runner.ts'
import { silentLog } from '../../../tools/kit/log.ts'

const SECRET = 'Geheim:9'
const auth = Buffer.from(`me:${SECRET}`).toString('base64')
const ME = { username: 'me', password: SECRET }

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-logins-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** Helpers that know one login each, and none. */
const run: Runner = async (program, _args, { stdin } = {}) => {
  const said = {
    'docker-credential-good': JSON.stringify({ ServerURL: stdin, Username: 'me', Secret: SECRET }),
    'docker-credential-token': JSON.stringify({ Username: '<token>', Secret: SECRET }),
    'docker-credential-broken': SECRET,
  }[program]
  if (said === undefined) throw new Error('ENOENT')
  return { exitCode: 0, stoppedBy: null, stdout: said, stderr: '' }
}

test.each([
  ['a registry with a port', 'r.example:5000', { auths: { 'r.example:5000': { auth } } }, ME],
  ['a key that is a URL', 'r.example', { auths: { 'https://R.example/v2/': { auth } } }, ME],
  ["Docker's own", 'docker.io', { auths: { 'https://index.docker.io/v1/': { auth } } }, ME],
  ['another registry', 'r.example', { auths: { 'r.example:5000': { auth } } }, null],
  [
    'a token',
    'r.example',
    { auths: { 'r.example': { identitytoken: 't' } } },
    { identitytoken: 't' },
  ],
  ['user and password', 'r.example', { auths: { 'r.example': ME } }, ME],
  ['a helper for all', 'r.example', { auths: { 'r.example': {} }, credsStore: 'good' }, ME],
  ['a helper of its own', 'r.example', { credHelpers: { 'r.example': 'good' } }, ME],
  ['a token of a helper', 'r.example', { credsStore: 'token' }, { identitytoken: SECRET }],
  ['a helper that is not there', 'r.example', { credsStore: 'none' }, null],
  ['a helper that says nonsense', 'r.example', { credsStore: 'broken' }, null],
  ['a helper elsewhere', 'r.example', { credsStore: '../../bin/sh' }, null],
  ['no login', 'r.example', {}, null],
  ['a file that is none', 'r.example', { auths: [SECRET] }, null],
])('%s', async (_name, registry, config, expected) => {
  const file = join(dir, 'config.json')
  await writeFile(file, JSON.stringify(config))
  const found = await loginFor(registry, { file, run, log: silentLog })
  if (expected === null) expect(found).toBeNull()
  else expect(found).toMatchObject(expected)
})

test('no file, no setting and a damaged file mean nobody, and no log shows what is in it', async () => {
  const lines: unknown[] = []
  const tell = (...what: unknown[]) => void lines.push(what)
  const log: Log = { ...silentLog, info: tell, warn: tell }
  const file = join(dir, 'config.json')
  expect(await loginFor('r.example', { file: null, run, log })).toBeNull()
  expect(await loginFor('r.example', { file, run, log })).toBeNull()
  await writeFile(file, `{"auths": {"r.example": {"auth": ${auth}`)
  expect(await loginFor('r.example', { file, run, log })).toBeNull()
  expect(lines).toHaveLength(1)
  expect(JSON.stringify(lines)).not.toContain(auth.slice(0, 6))
})
