/** The seed volume, read back by another program than the one that makes it. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemRunner } from '../../../src/lib/runner.ts'
import { writeSeed } from '../../../src/machines/seed.ts'
import { renderSeed } from '../../../src/plan/nocloud.ts'
import { instance } from '../../../tools/kit/instance.ts'

const execute = promisify(execFile)
const canMake = existsSync('/usr/bin/xorriso') && existsSync('/usr/bin/bsdtar')
const { signal } = new AbortController()
/** ISO 9660 (ECMA-119), 8.4: the primary volume descriptor, and in it the volume's name. */
const VOLUME_NAME = { offset: 16 * 2048 + 40, length: 32 }

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-seed-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('without xorriso the package is named, and nothing is left', async () => {
  const run = () => systemRunner('/nowhere/xorriso', [])
  await expect(
    writeSeed(join(directory, 'seed.iso'), instance(1), { run, signal }),
  ).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('apt-get') })
  expect(await readdir(directory)).toEqual([])
})

describe.skipIf(!canMake)('with xorriso and bsdtar', () => {
  test('another program reads from the volume what was put into it', async () => {
    const file = join(directory, 'seed.iso')
    const want = instance(1)
    // What an older daemon left, in part and in whole.
    await writeFile(file, 'old')
    await writeFile(`${file}.making`, 'old')
    await writeSeed(file, want, { run: systemRunner, signal })

    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(directory)).toEqual(['seed.iso'])
    expect(await volumeName(file)).toBe('cidata')
    await execute('bsdtar', ['-x', '-C', directory, '-f', file])
    for (const [name, content] of renderSeed(want))
      expect((await readFile(join(directory, name))).equals(Buffer.from(content))).toBe(true)
    const network = JSON.parse(await readFile(join(directory, 'network-config'), 'utf8'))
    expect(network).toEqual({
      version: 2,
      ethernets: { nic0: { match: { macaddress: want.nics[0]?.mac }, dhcp4: true } },
    })
  })

  test('whoever gives up waits no longer', async () => {
    const writing = writeSeed(join(directory, 'seed.iso'), instance(1), {
      run: systemRunner,
      signal: AbortSignal.abort(),
    })
    await expect(writing).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await readdir(directory)).toEqual([])
  })
})

async function volumeName(file: string): Promise<string> {
  const handle = await open(file)
  try {
    const { offset, length } = VOLUME_NAME
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, offset)
    return buffer.toString('latin1').trim()
  } finally {
    await handle.close()
  }
}
