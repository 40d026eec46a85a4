/** Images that are kept: whole or not there, and gone when nobody wants them. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeptImages } from '../../../src/machines/created-images.ts'
import { numbered } from '../../kit/records.ts'

const FACTS = {
  architecture: 'x86_64',
  virtualBytes: 1024,
  firmware: 'uefi',
  machine: 'q35',
  seed: null,
} as const
const [first, second] = [numbered('ami', 1), numbered('ami', 2)]
const signal = new AbortController().signal

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-kept-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

async function make(image: typeof first, kind: 'disk' | 'kernel') {
  const making = await createKeptImages(dir).begin(image)
  for (const name of ['kernel', 'initrd', 'disk'])
    if (kind === 'kernel' || name === 'disk') await writeFile(join(making.dir, name), name)
  return making
}

describe('an image that is kept', () => {
  test('is found by whoever comes later, with the digest of all its files', async () => {
    const disk = await (await make(first, 'disk')).install({ kind: 'disk', ...FACTS }, signal)
    const pair = await (await make(second, 'kernel')).install({ kind: 'kernel', ...FACTS }, signal)
    const fresh = createKeptImages(dir)
    expect(await fresh.find(first)).toEqual(disk)
    expect(await fresh.find(second)).toEqual(pair)
    expect(disk).toMatchObject({ kind: 'disk', digest: sha256('disk'), virtualBytes: 1024 })
    expect(disk.options).toMatchObject({ firmware: 'uefi', sha256: null })
    expect(pair).toMatchObject({ kind: 'kernel', digest: sha256('kernelinitrddisk') })
    // Only root may look, and nobody writes.
    if (disk.kind !== 'disk') throw new Error('not a disk')
    expect((await stat(disk.path)).mode & 0o777).toBe(0o444)
    expect((await stat(join(disk.path, '..'))).mode & 0o777).toBe(0o700)
  })

  test('is not there before it is complete, and is begun again', async () => {
    const kept = createKeptImages(dir)
    await make(first, 'disk')
    expect(await kept.find(first)).toBeNull()
    const again = await kept.begin(first)
    expect(await readdir(again.dir)).toEqual([])
    await kept.discard(first)
    expect(await readdir(join(dir, 'created-images'))).toEqual([])
  })

  test('goes when it is not wanted; what is being made stays', async () => {
    const kept = createKeptImages(dir)
    for (const image of [first, second])
      await (await make(image, 'disk')).install({ kind: 'disk', ...FACTS }, signal)
    const [third, fourth] = [numbered('ami', 3), numbered('ami', 4)]
    await make(third, 'disk')
    await make(fourth, 'disk')
    await writeFile(join(dir, 'created-images', 'notes'), 'of somebody else')
    const removed = await kept.keep(new Set([first]), new Set([third]), new Set())
    expect([...removed].sort()).toEqual([second, `${fourth}.partial`])
    const left = await readdir(join(dir, 'created-images'))
    expect(left.sort()).toEqual([first, `${third}.partial`, 'notes'])
  })

  test('stays as long as a disk lies on it, wanted or not', async () => {
    const kept = createKeptImages(dir)
    const image = await (await make(first, 'disk')).install({ kind: 'disk', ...FACTS }, signal)
    const keep = (digests: readonly string[]) => kept.keep(new Set(), new Set(), new Set(digests))
    expect(await keep([image.digest])).toEqual([])
    expect(await kept.find(first)).toEqual(image)
    expect(await keep([])).toEqual([first])
  })

  test('nothing was ever kept: nothing to remove', async () => {
    expect(await createKeptImages(dir).keep(new Set(), new Set(), new Set())).toEqual([])
  })
})
