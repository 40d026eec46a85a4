/**
 * Whoever can write to a shared directory, or has it unmounted, exchanged, or full.
 *
 * New with the feature. Without the comparison of markers, disks are made in another storage;
 * without the looks for links, a planted one is opened: both seen with the check taken out.
 */
import { execFile } from 'node:child_process'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { initSharedDirectory, type SharedDirectory } from '../../src/host/files/shared-directory.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { GIB } from '../../src/model/sizes.ts'
import type { StoragePlace } from '../../src/model/storage.ts'
import { numbered } from '../kit/records.ts'
import { createSharedFixture, type SharedFixture } from '../kit/shared-directory.ts'

const execute = promisify(execFile)
const MARKER = 'atoll-storage.json'
const volume = numbered('vol', 1)
let place: StoragePlace
const EMPTY = { base: null, sizeBytes: GIB }

let fixture: SharedFixture
let shared: SharedDirectory
let elsewhere: string
const inside = (...names: string[]) => join(fixture.settings.path, ...names)

beforeEach(async () => {
  fixture = await createSharedFixture()
  shared = fixture.open()
  place = { storage: fixture.storage, volume: numbered('vol', 1) }
  elsewhere = await mkdtemp(join(tmpdir(), 'atoll-elsewhere-'))
})
afterEach(async () => {
  await fixture.remove()
  await rm(elsewhere, { recursive: true, force: true })
})

it('is what its marker says, and nothing without one', async () => {
  expect(await shared.look()).toMatchObject({ storage: fixture.storage })
  await shared.make(place, EMPTY)
  await rename(inside(MARKER), inside('aside'))
  await expect(shared.find(place)).rejects.toThrow('it has no file atoll-storage.json: mount it')
  expect(await shared.look()).toMatchObject({ problem: expect.stringContaining('mount it') })
  expect(shared.storage()).toBeNull()
  await rename(inside('aside'), inside(MARKER))
  expect(await shared.look()).toMatchObject({ storage: fixture.storage })
  await shared.find(place)
})

it('does nothing in another storage of the cloud that is mounted in its place', async () => {
  await shared.make(place, EMPTY)
  const other = { ...place, storage: 'st-ffffffffffffffff' }
  for (const work of ['find', 'make', 'remove'] as const)
    await expect(shared[work](other, EMPTY)).rejects.toMatchObject({ kind: 'unavailable' })
  await shared.find(place)
})

it.each([
  [
    'is of another cloud',
    '{"version":1,"cloud":"ffffffffffffffff","storage":"st-0123456789abcdef"}',
  ],
  ['is no JSON', '{'],
  ['is empty', ''],
  ['has a path for a name', '{"version":1,"cloud":"00112233445566aa","storage":"../../etc"}'],
  [
    'names a pool of Ceph',
    '{"version":1,"cloud":"00112233445566aa","storage":"rbd-0123456789abcdef"}',
  ],
  ['is too long', `${' '.repeat(5000)}{}`],
  ['has bytes that are no text', '\0\0\u001B[31m'],
])('takes no directory whose marker %s', async (_what, text) => {
  await writeFile(inside(MARKER), text)
  const found = await shared.look()
  expect(found).toMatchObject({ problem: expect.stringMatching(/another cloud|not one of Atoll/) })
  await expect(fixture.open().find(place)).rejects.toMatchObject({ kind: 'unavailable' })
})

it('is prepared once, and not over another', async () => {
  await expect(initSharedDirectory(fixture.settings, systemRunner)).rejects.toThrow(
    'it is a storage already',
  )
  expect(await shared.look()).toMatchObject({ storage: fixture.storage })
  expect(await readdir(inside())).toEqual([MARKER])
})

it('follows no link, wherever it is', async () => {
  await shared.make(place, EMPTY)
  const secret = join(elsewhere, 'secret')
  await writeFile(secret, 'secret')
  const disk = inside('volumes', volume, 'disk.qcow2')
  await rm(disk)
  await symlink(secret, disk)
  for (const work of ['find', 'make'] as const)
    await expect(shared[work](place, EMPTY)).rejects.toThrow('symbolic link')
  await rm(inside('volumes', volume), { recursive: true })
  await symlink(elsewhere, inside('volumes', volume))
  for (const work of ['find', 'make'] as const)
    await expect(shared[work](place, EMPTY)).rejects.toThrow('symbolic link')
  await shared.remove(place)
  await rm(inside('volumes'), { recursive: true })
  await symlink(elsewhere, inside('volumes'))
  await mkdir(join(elsewhere, volume))
  await writeFile(join(elsewhere, volume, 'disk.qcow2'), 'theirs')
  for (const work of ['find', 'make', 'remove'] as const)
    await expect(shared[work](place, EMPTY)).rejects.toThrow('symbolic link')
  expect(await readFile(secret, 'utf8')).toBe('secret')
  expect(await readFile(join(elsewhere, volume, 'disk.qcow2'), 'utf8')).toBe('theirs')
  await rename(inside(MARKER), join(elsewhere, MARKER))
  await symlink(join(elsewhere, MARKER), inside(MARKER))
  expect(await shared.look()).toMatchObject({ problem: expect.stringContaining('symbolic link') })
})

it('keeps a disk that is there, whoever else makes it at the same time', async () => {
  const hosts = Array.from({ length: 6 }, (_, n) =>
    fixture.open({ lockFile: join(elsewhere, `${n}`) }),
  )
  const sizes = hosts.map((_host, n) => (n + 1) * GIB)
  await Promise.all(
    hosts.map((host, n) => host.make(place, { base: null, sizeBytes: sizes[n] ?? 0 })),
  )
  const disk = inside('volumes', volume, 'disk.qcow2')
  const before = await readFile(disk)
  await shared.make(place, { base: null, sizeBytes: 9 * GIB })
  expect(await readFile(disk)).toEqual(before)
  expect(await readdir(inside('volumes', volume))).toEqual(['disk.qcow2'])
})

it('takes what is no file for no disk', async () => {
  await mkdir(inside('volumes', volume, 'disk.qcow2'), { recursive: true })
  await expect(shared.find(place)).rejects.toMatchObject({ kind: 'refused' })
  await rm(inside('volumes', volume, 'disk.qcow2'), { recursive: true })
  await execute('mkfifo', [inside('volumes', volume, 'disk.qcow2')])
  await expect(shared.find(place)).rejects.toMatchObject({ kind: 'refused' })
})

it('says what is full', async () => {
  const small = join(elsewhere, 'small.img')
  const dir = join(elsewhere, 'a dir')
  await writeFile(small, '')
  await truncate(small, 2 ** 21)
  await execute('mkfs.ext4', ['-q', '-m', '0', small])
  await mkdir(dir)
  await execute('mount', ['-o', 'loop', small, dir])
  try {
    const settings = { ...fixture.settings, path: dir }
    const storage = await initSharedDirectory(settings, systemRunner)
    await execute('bash', ['-c', 'cat /dev/zero >"$1" || true', 'fill', join(dir, 'full')])
    const full = fixture.open({ path: dir })
    expect(await full.look()).toMatchObject({ storage })
    await expect(full.make({ ...place, storage }, EMPTY)).rejects.toThrow(/[Nn]o space/)
    await rm(join(dir, 'full'))
    await full.make({ ...place, storage }, EMPTY)
    await execute('mount', ['-o', 'remount,ro', dir])
    expect(await full.look()).toMatchObject({ problem: expect.stringContaining('read-only') })
  } finally {
    await execute('umount', ['-l', dir])
  }
})
