/** The doctor names files that others than root may write or read, and how to close them. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configSchema } from '../../../src/config.ts'
import { checkFiles } from '../../../src/operator/doctor-files.ts'

const OWN = process.getuid?.() ?? 0
const STRANGER = 65_534

let directory: string
let configFile: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-doctor-files-'))
  chmodSync(directory, 0o755)
  configFile = join(directory, 'atoll.yaml')
  mkdirSync(join(directory, 'state'), { mode: 0o700 })
  make('atoll.yaml', 0o644)
  make('secret', 0o600)
  make('state/cloud.key', 0o600)
})
afterEach(() => rmSync(directory, { recursive: true }))

function make(name: string, mode: number): void {
  writeFileSync(join(directory, name), 'x')
  chmodSync(join(directory, name), mode)
}

const check = () =>
  checkFiles(
    configSchema.parse({
      stateDir: join(directory, 'state'),
      tls: { directory: join(directory, 'tls') },
      cluster: { secretFile: join(directory, 'secret') },
    }),
    configFile,
  )

test('files of root are well, and missing ones', async () => {
  expect(await check()).toMatchObject({ result: 'ok' })
})

test.each<[string, () => void, string]>([
  ['a configuration that all may write', () => chmodSync(configFile, 0o666), 'chmod 644'],
  ['its directory', () => chmodSync(directory, 0o777), 'chmod 755'],
  ['a secret that all may read', () => chmodSync(join(directory, 'secret'), 0o644), 'chmod 600'],
  ['a key', () => chmodSync(join(directory, 'state/cloud.key'), 0o640), 'chmod 600'],
])('%s is named, and its fix works', async (_what, open, order) => {
  open()
  const { result, fix } = await check()
  expect(result).toBe('fail')
  expect(fix).toMatch(new RegExp(`^${order} ${directory}`))
  execFileSync('sh', ['-ec', fix ?? ''])
  expect(await check()).toMatchObject({ result: 'ok' })
})

test.skipIf(OWN !== 0)('a file of somebody else is named, and its fix works', async () => {
  chownSync(join(directory, 'secret'), STRANGER, STRANGER)
  const { found, fix } = await check()
  expect(found).toContain(`user ${STRANGER} owns ${join(directory, 'secret')}`)
  execFileSync('sh', ['-ec', fix ?? ''])
  expect(await check()).toMatchObject({ result: 'ok' })
})
