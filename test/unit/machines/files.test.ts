import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeVolumeHome, volumeHome, volumeHomes } from '../../../src/host/files/volumes.ts'
import { CONSOLE_BYTES, createMachineFiles } from '../../../src/machines/files.ts'
import { MOST_BOOTS } from '../../../src/model/lifecycle.ts'
import { instanceId, numbered } from '../../kit/records.ts'

const id = instanceId(1)
const volume = numbered('vol', 1)
const origin = { digest: `sha256:${'a'.repeat(64)}`, location: 'file:///images/disk.qcow2' }
let stateDir: string
const files = () => createMachineFiles(stateDir)

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'atoll-files-'))
  await files().make(id, origin)
})
afterEach(() => rm(stateDir, { recursive: true, force: true }))

it('a kept disk is moved once, and its image is in use until it is removed, whatever was cut off', async () => {
  await writeFile(files().paths(id).disk, 'data')
  for (const _again of [1, 2]) await files().keepDisk(id, volume)
  expect(await files().hasDisk(id)).toBe(false)
  await files().remove(id)
  for (const _again of [1, 2]) await files().keepDisk(id, volume)
  const home = volumeHome(stateDir, volume)
  expect(await readFile(join(home, 'disk.qcow2'), 'utf8')).toBe('data')
  expect(JSON.parse(await readFile(join(home, 'origin.json'), 'utf8'))).toEqual(origin)
  expect(await files().origins()).toEqual(new Set([origin.digest]))
  await removeVolumeHome(stateDir, volume)
  expect(await files().origins()).toEqual(new Set())
})

it('a console is cut also where its old output can be kept nowhere, as on a full disk', async () => {
  const { console: file } = files().paths(id)
  await writeFile(file, 'x'.repeat(CONSOLE_BYTES + 1))
  await mkdir(`${file}.1`)
  await files().trimConsole(id)
  expect(await readFile(file, 'utf8')).toBe('')
})

it('a machine that never had a disk leaves no volume', async () => {
  await files().keepDisk(id, volume)
  expect(await volumeHomes(stateDir)).toEqual(new Map())
})

it('a boot record says that a reboot is due; one of an older daemon says of none', async () => {
  const boot = { bootCount: 3, poweredOff: false }
  await writeFile(join(files().paths(id).home, 'boot.json'), JSON.stringify(boot))
  expect(await files().readBoot(id)).toEqual({ ...boot, rebootDue: false })
  await files().writeBoot(id, { ...boot, rebootDue: true })
  expect(await files().readBoot(id)).toEqual({ ...boot, rebootDue: true })
})

it('a boot record does not count further than the records can', async () => {
  const boot = { bootCount: MOST_BOOTS, poweredOff: false, rebootDue: false }
  await files().writeBoot(id, boot)
  expect(await files().readBoot(id)).toEqual(boot)
  await files().writeBoot(id, { ...boot, bootCount: MOST_BOOTS + 1 })
  expect(await files().readBoot(id)).toBeNull()
})

it('an origin that an older daemon wrote has no location', async () => {
  const file = join(files().paths(id).home, 'origin.json')
  await writeFile(file, JSON.stringify({ digest: origin.digest }))
  expect(await files().origin(id)).toEqual({ digest: origin.digest, location: '' })
})
