/** The image cache of virtual machines: what is evicted, what is not, and what is not believed. */
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MachineImagesOptions } from '../../../src/images/machine-images.ts'
import { MIB } from '../../../src/model/sizes.ts'
import { startFileServer } from '../../kit/file-server.ts'
import {
  failure,
  image,
  imageFixtureOfEachTest,
  kept,
  noise,
  settled,
  sha256,
} from '../../kit/machine-images.ts'

const HOUR_MS = 3_600_000

const fixture = imageFixtureOfEachTest()

describe('the cache', () => {
  /** Puts four images of 1 MiB in place, an hour apart, into a cache for four. */
  async function filled(more: Partial<MachineImagesOptions> = {}) {
    const images = fixture().open({ cacheBytes: 4 * MIB + 4096, ...more })
    const contents = [1, 2, 3, 4].map(() => noise(MIB))
    const locations: string[] = []
    for (const [n, content] of contents.entries()) {
      const location = await fixture().put(`${n}.img`, content)
      locations.push(location)
      await kept(images, location)
      fixture().laterMs += HOUR_MS
    }
    return { images, locations, digests: contents.map((content) => sha256(content)) }
  }
  const present = async () =>
    (await readdir(fixture().cacheDir))
      .filter((name) => !name.endsWith('.partial'))
      .map((name) => name.replace('-', ':'))
      .sort()

  test('gives up what was not needed for longest', async () => {
    const { images, locations, digests } = await filled()
    await using _end = images
    await images.details(digests[0] ?? '', locations[0] ?? '')
    const fifth = noise(MIB)
    fixture().laterMs += HOUR_MS
    await kept(images, await fixture().put('5.img', fifth))
    expect(await present()).toEqual([digests[0], digests[2], digests[3], sha256(fifth)].sort())
    // What is gone is known to be gone.
    await expect(images.details(digests[1] ?? '', locations[1] ?? '')).rejects.toMatchObject({
      kind: 'unavailable',
    })
    expect(images.look(image(locations[1] ?? ''))).toMatchObject({ kind: 'working' })
    await settled(images, image(locations[1] ?? ''))
  })

  test('never gives up what is in use', async () => {
    const { images, digests } = await filled()
    await using _end = images
    fixture().inUse = new Set([digests[0] ?? '', digests[1] ?? ''])
    const fifth = noise(MIB)
    await kept(images, await fixture().put('5.img', fifth))
    expect(await present()).toEqual([digests[0], digests[1], digests[3], sha256(fifth)].sort())
    fixture().inUse = new Set([...digests, sha256(fifth)])
    fixture().laterMs += HOUR_MS
    const before = await present()
    expect(await failure(images, await fixture().put('6.img', noise(MIB)))).toMatch(
      /everything in it is in use.*images\.cacheGiB/,
    )
    expect(await present()).toEqual(before)
  })

  test('never gives up what was just given out', async () => {
    const { images, locations, digests } = await filled()
    await using _end = images
    for (const [n, digest] of digests.entries()) await images.details(digest, locations[n] ?? '')
    expect(await failure(images, await fixture().put('5.img', noise(MIB)))).toMatch(
      /everything in it is in use/,
    )
    expect(await present()).toEqual([...digests].sort())
  })

  test('refuses what would not even fit into an empty one, and gives up nothing for it', async () => {
    const { images, digests } = await filled()
    await using _end = images
    expect(await failure(images, await fixture().put('5.img', noise(5 * MIB)))).toMatch(
      /5 MiB does not fit into the image cache of 5 MiB/,
    )
    expect(await present()).toEqual([...digests].sort())
  })

  test('of a small cache with an unknown length', async () => {
    const { images, digests } = await filled()
    await using _end = images
    await using server = await startFileServer((_request, response) => {
      for (let n = 0; n < 5; n += 1) response.write(Buffer.alloc(MIB))
      response.end()
    })
    expect(await failure(images, server.url)).toMatch(/does not fit/)
    expect(await present()).toEqual([...digests].sort())
  })

  test('removes leftovers of yesterday, and replaces what is torn', async () => {
    const content = noise(MIB)
    const digest = sha256(content)
    const [old, torn] = [
      join(fixture().cacheDir, 'abc.partial'),
      join(fixture().cacheDir, digest.replace(':', '-')),
    ]
    for (const place of [old, torn]) {
      await mkdir(place, { recursive: true })
      await writeFile(join(place, 'disk'), content.subarray(0, 1000))
      const yesterday = Date.now() / 1000 - 2 * 86_400
      for (const path of [join(place, 'disk'), place]) await utimes(path, yesterday, yesterday)
    }
    const facts = { kind: 'disk', format: 'raw', virtualBytes: MIB, bytes: MIB }
    await writeFile(join(torn, 'image.json'), JSON.stringify(facts))
    await using images = fixture().open()
    const location = await fixture().put('a.img', content)
    expect((await kept(images, location, digest)).content).toEqual(content)
    expect(await present()).toEqual([digest])
  })

  test.each([
    ['nothing', ''],
    ['half a thing', '{'],
    ['another format', '{"kind":"disk","format":"vmdk","virtualBytes":1048576,"bytes":1048576}'],
    ['less than nothing', '{"kind":"disk","format":"raw","virtualBytes":-1,"bytes":1048576}'],
    ['another size', '{"kind":"disk","format":"raw","virtualBytes":1048576,"bytes":1048575}'],
    ['another kind', '{"kind":"kernel","bytes":1048576}'],
    [
      'far too much',
      `${' '.repeat(5000)}{"kind":"disk","format":"raw","virtualBytes":1048576,"bytes":1048576}`,
    ],
  ])('believes no image.json that says %s', async (_what, facts) => {
    const content = noise(MIB)
    const digest = sha256(content)
    const location = await fixture().put('a.img', content)
    await using images = fixture().open()
    await kept(images, location)
    const file = join(fixture().cacheDir, digest.replace(':', '-'), 'image.json')
    await writeFile(file, facts)
    await expect(images.details(digest, location)).rejects.toMatchObject({ kind: 'unavailable' })
    expect((await kept(images, location)).content).toEqual(content)
  })

  test('many images at once, and the same one by many names', async () => {
    const contents = Array.from({ length: 12 }, () => noise(64 * 1024))
    await using images = fixture().open()
    const locations = await Promise.all(
      contents.map((content, n) => fixture().put(`${n}.img`, content)),
    )
    const wants = locations.flatMap((location) => [1, 2].map((n) => image(location, null, n)))
    const looks = await Promise.all(wants.map((want) => settled(images, want)))
    expect(looks.every(({ kind }) => kind === 'ready')).toBe(true)
    expect(await present()).toEqual(contents.map((content) => sha256(content)).sort())
  })
})
