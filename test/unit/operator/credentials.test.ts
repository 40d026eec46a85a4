/** The operator's copy of the first key, and the text that a shell reads. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  environmentText,
  readCredentials,
  writeCredentials,
} from '../../../src/operator/credentials.ts'
import { account } from '../../kit/records.ts'

const key = { id: 'AKIAEXAMPLE', secret: 'a/b+c=', account, user: 'admin' }
const where = {
  region: 'atoll-1',
  endpoint: 'https://127.0.0.1:8773',
  caFile: '/etc/atoll/tls/ca.crt',
}
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-credentials-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('what was written is read back; root only may, and nothing else is left', async () => {
  await writeCredentials(directory, key, where)
  expect(await readCredentials(directory)).toEqual({
    accessKeyId: key.id,
    secretAccessKey: key.secret,
    ...where,
  })
  expect((await stat(join(directory, 'credentials.json'))).mode & 0o777).toBe(0o600)
  expect(await readdir(directory)).toEqual(['credentials.json'])
})

test('written again, it says the new endpoint', async () => {
  await writeCredentials(directory, key, where)
  await writeCredentials(directory, key, { ...where, endpoint: 'http://127.0.0.1:1' })
  expect(await readCredentials(directory)).toMatchObject({ endpoint: 'http://127.0.0.1:1' })
})

test.each(['', '{}', '{"accessKeyId":1}'])('a file with %j is refused', async (text) => {
  await writeFile(join(directory, 'credentials.json'), text)
  await expect(readCredentials(directory)).rejects.toThrow(/damaged: remove it and restart atolld/)
})

test('before the first start of the daemon, it says who writes the file', async () => {
  await expect(readCredentials(directory)).rejects.toThrow(
    /there is no .*credentials\.json: atolld writes it when it starts\. Start it with/,
  )
})

test('a shell that evaluates the text has the variables', () => {
  const text = environmentText({ accessKeyId: key.id, secretAccessKey: key.secret, ...where })
  const said = execFileSync('sh', ['-c', `${text}\nenv`], { encoding: 'utf8', env: {} })
  const variables = said.split('\n').filter((line) => /^(?:AWS|NODE)_/.test(line))
  expect(variables.sort()).toEqual([
    'AWS_ACCESS_KEY_ID=AKIAEXAMPLE',
    'AWS_CA_BUNDLE=/etc/atoll/tls/ca.crt',
    'AWS_DEFAULT_REGION=atoll-1',
    'AWS_ENDPOINT_URL=https://127.0.0.1:8773',
    'AWS_REGION=atoll-1',
    'AWS_SECRET_ACCESS_KEY=a/b+c=',
    'NODE_EXTRA_CA_CERTS=/etc/atoll/tls/ca.crt',
  ])
})

test.each([
  ['no proxy', {}, '127.0.0.1'],
  ['a proxy', { HTTPS_PROXY: 'http://proxy:1' }, '127.0.0.1'],
  ['exceptions', { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'a.example' }, 'a.example,127.0.0.1'],
  ['lower case', { https_proxy: 'http://proxy:1', no_proxy: 'b.example' }, 'b.example,127.0.0.1'],
  ['both cases', { no_proxy: 'b.example', NO_PROXY: 'a.example' }, 'b.example,127.0.0.1'],
  ['this host', { NO_PROXY: '127.0.0.1,a.example' }, '127.0.0.1,a.example'],
  ['every host', { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: '*' }, '*'],
  ['a name that contains it', { NO_PROXY: 'x127.0.0.1' }, 'x127.0.0.1,127.0.0.1'],
])('a shell with %s calls this host without a proxy', (_case, env, expected) => {
  const text = environmentText({ accessKeyId: key.id, secretAccessKey: key.secret, ...where })
  // Twice, as in a shell that is used for long. Stops at unset variables, as careful scripts do.
  const script = `set -eu\n${text}\n${text}\nprintenv NO_PROXY\npython3 -c "$PROGRAM"`
  // What the AWS CLI and boto3 decide by.
  const PROGRAM = `from botocore.utils import get_environ_proxies; print(get_environ_proxies('${where.endpoint}'))`
  const { PATH } = process.env
  const said = execFileSync('sh', ['-c', script], {
    encoding: 'utf8',
    env: { ...env, PATH, PROGRAM },
  })
  expect(said.trim().split('\n')).toEqual([expected, '{}'])
})
