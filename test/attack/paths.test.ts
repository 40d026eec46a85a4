/**
 * Something is put into a directory that the daemon removes: a mount, a symbolic link, a name.
 *
 * Before, removing a volume's directory emptied the file system that was mounted in it, and
 * followed a directory that was a link.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeVolumeHome, volumeHome } from '../../src/host/files/volumes.ts'
import { numbered } from '../kit/records.ts'

const run = promisify(execFile)
const volume = numbered('vol', 1)

let root: string
let state: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'atoll removing-'))
  state = join(root, 'state')
  await mkdir(volumeHome(state, volume), { recursive: true })
  await mkdir(join(root, 'victim'))
  await writeFile(join(root, 'victim/kept'), 'x')
})
afterEach(() => rm(root, { recursive: true }))

it.each([
  ['in a volume’s directory', (home: string) => join(home, 'inside')],
  ['over a volume’s directory', (home: string) => home],
])('what is mounted %s keeps what it has', async (_where, placeOf) => {
  const place = placeOf(volumeHome(state, volume))
  await mkdir(place, { recursive: true })
  await run('mount', ['--bind', join(root, 'victim'), place])
  try {
    await expect(removeVolumeHome(state, volume)).rejects.toThrow(/is mounted/)
  } finally {
    await run('umount', [place])
  }
  expect(existsSync(join(root, 'victim/kept'))).toBe(true)
  await removeVolumeHome(state, volume)
  expect(existsSync(volumeHome(state, volume))).toBe(false)
})

it('a directory that is a link is not followed', async () => {
  await mkdir(join(root, 'victim', volume))
  await rm(join(state, 'volumes'), { recursive: true })
  await symlink(join(root, 'victim'), join(state, 'volumes'))
  await expect(removeVolumeHome(state, volume)).rejects.toThrow(/is a link/)
  expect(existsSync(join(root, 'victim', volume))).toBe(true)
})

it.each(['../../victim', '..', '.', '', '/', 'vol-\0'])('the name %j is refused', async (name) => {
  await expect(removeVolumeHome(state, name as typeof volume)).rejects.toThrow(RangeError)
  expect(existsSync(join(root, 'victim/kept'))).toBe(true)
  expect(existsSync(volumeHome(state, volume))).toBe(true)
})
