/** Images of virtual machines from published files. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MIB } from '../../../src/model/sizes.ts'
import { bzImage, cpio } from '../../kit/image-contents.ts'
import {
  failure,
  image,
  imageFixtureOfEachTest,
  kept,
  noise,
  settled,
  sha256,
} from '../../kit/machine-images.ts'

const fixture = imageFixtureOfEachTest()

describe('files', () => {
  test('a raw disk is copied, pinned, read-only, and found by a fresh daemon without its source', async () => {
    const content = noise(MIB)
    const location = await fixture().put('a.img', content)
    {
      await using images = fixture().open()
      const { details, ...got } = await kept(images, location)
      expect(got).toEqual({ content, digest: sha256(content) })
      expect(details).toMatchObject({ format: 'raw', virtualBytes: MIB, architecture: 'x86_64' })
      expect((await stat(details.path)).mode & 0o777).toBe(0o444)
    }
    await rm(join(fixture().published, 'a.img'))
    await using images = fixture().open()
    expect((await kept(images, location, sha256(content))).content).toEqual(content)
    expect(await readdir(fixture().cacheDir)).toEqual([sha256(content).replace(':', '-')])
  })

  test('a kernel and its initramfs are pinned together', async () => {
    const kernel = bzImage()
    const initrd = cpio(777)
    const [k, i] = [await fixture().put('vmlinuz', kernel), await fixture().put('initrd', initrd)]
    await using images = fixture().open()
    const location = `kernel=${k},initrd=${i}#machine=microvm`
    const look = await settled(images, image(location))
    expect(look).toMatchObject({ kind: 'ready', digest: sha256(kernel, initrd) })
    const details = await images.details(sha256(kernel, initrd), location)
    if (details.kind !== 'kernel') throw new Error('no kernel')
    expect(details.options.machine).toBe('microvm')
    expect(await readFile(details.kernelPath)).toEqual(kernel)
    expect(await readFile(details.initrdPath)).toEqual(initrd)
    // The same bytes as a disk are another image.
    await expect(
      images.details(sha256(kernel, initrd), k.replace('vmlinuz', 'x.img')),
    ).rejects.toMatchObject({ kind: 'unavailable' })
  })

  test.each([
    ['no kernel', Buffer.alloc(4096), cpio(200), /neither a bzImage nor an ELF/],
    ['no initramfs', bzImage(), randomBytes(10), /is not an initramfs/],
    ['an empty initramfs', bzImage(), Buffer.alloc(0), /is not an initramfs/],
  ])('%s', async (_what, kernel, initrd, message) => {
    const [k, i] = [await fixture().put('vmlinuz', kernel), await fixture().put('initrd', initrd)]
    await using images = fixture().open()
    expect(await failure(images, `kernel=${k},initrd=${i}`)).toMatch(message)
    expect(await readdir(fixture().cacheDir)).toEqual([])
  })

  test('nothing outside of the directories, by name or by symbolic link, and nothing but files', async () => {
    await writeFile(join(fixture().dir, 'secret.img'), noise(1024))
    await symlink(join(fixture().dir, 'secret.img'), join(fixture().published, 'link.img'))
    await symlink(fixture().dir, join(fixture().published, 'way'))
    await mkdir(join(fixture().published, 'directory.img'))
    await using images = fixture().open()
    for (const name of ['secret.img', 'shelf/link.img', 'shelf/way/secret.img'])
      expect(await failure(images, `file://${fixture().dir}/${name}`)).toMatch(
        /is not a published image/,
      )
    for (const name of ['directory.img', 'none.img'])
      expect(await failure(images, `file://${fixture().published}/${name}`)).toMatch(
        /is not a published image/,
      )
    expect(await failure(images, 's3://bucket/key.img')).toMatch(/images\.s3/)
    expect(await failure(images, 'docker://web')).toMatch(/not a virtual machine's/)
  })

  test('both digests must hold, and a file that has another leaves nothing behind', async () => {
    const content = noise(4096)
    const location = await fixture().put('a.img', content)
    const right = sha256(content)
    const wrong = sha256(Buffer.from('wrong'))
    const asking = (digest: string) => `${location}#sha256=${digest.slice('sha256:'.length)}`
    await using images = fixture().open()
    for (const [want, digest] of [
      [asking(wrong), null],
      [location, wrong],
    ] as const) {
      const message = await failure(images, want, digest)
      expect(message).not.toContain(right)
      expect(message).toContain(wrong)
    }
    expect(await failure(images, asking(right), wrong)).toMatch(/requires .* is pinned/)
    expect(await readdir(fixture().cacheDir)).toEqual([])
    expect((await kept(images, asking(right), right)).digest).toBe(right)
  })

  test('a file larger than the limit', async () => {
    const location = await fixture().put('a.img', noise(MIB))
    await using images = fixture().open({ maxBytes: MIB - 1 })
    expect(await failure(images, location)).toMatch(/images\.maxGiB/)
  })
})
