/** Images of virtual machines from a web server: transfers that break off and are continued. */

import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { MachineImages } from '../../../src/images/machine-images.ts'
import { MIB } from '../../../src/model/sizes.ts'
import type { ImageWant } from '../../../src/model/want.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { serveFile, startFileServer } from '../../kit/file-server.ts'
import {
  booted,
  image,
  imageFixtureOfEachTest,
  kept,
  noise,
  SETTLE_MS,
} from '../../kit/machine-images.ts'
import { SOON } from '../../kit/soon.ts'

const fixture = imageFixtureOfEachTest()

describe('a web server', () => {
  const content = noise(3 * MIB)
  const tag = '"one"'

  test('that breaks off again and again is gone on with', async () => {
    await using server = await startFileServer((request, response, before) =>
      serveFile(request, response, { content, tag }, before < 4 ? { cutAfter: 600_000 } : {}),
    )
    await using images = fixture().open()
    expect((await kept(images, server.url)).content).toEqual(content)
    const [first, ...rest] = server.ranges
    expect(first).toBeNull()
    expect(rest).toHaveLength(4)
    const starts = rest.map((range) => Number(range?.replace(/\D/g, '') ?? 0))
    // What had arrived and was not read yet when the connection broke may be lost, even all of it:
    // it stands still, and never goes back.
    expect(starts.every((start, n) => start >= (starts[n - 1] ?? 0))).toBe(true)
  })

  test('that breaks off anywhere, and changes the file anywhere, gives the last content whole', async () => {
    const script = fc.array(
      fc.record({
        cutAfter: fc.nat(3000),
        change: fc.boolean(),
        tagged: fc.boolean(),
        heedless: fc.boolean(),
      }),
      { maxLength: 4 },
    )
    await fc.assert(
      fc.asyncProperty(script, async (steps) => {
        let version = 0
        const versions = [0, 1, 2, 3, 4].map((n) => booted(Buffer.alloc(2048 + 512 * n, n)))
        const served = (tagged: boolean) => ({
          content: versions[version] ?? Buffer.alloc(0),
          tag: tagged ? `"${version}"` : null,
        })
        await using server = await startFileServer((request, response, before) => {
          const step = steps[before]
          serveFile(request, response, served(step?.tagged ?? true), step ?? {})
          if (step?.change === true && version < 3) version += 1
        })
        await using images = fixture().open({
          cacheDir: join(fixture().dir, `cache-${randomBytes(8).toString('hex')}`),
        })
        const got = (await kept(images, server.url)).content
        // Whole, and of one version: nothing of an older one in it.
        expect(versions.some((one) => one.equals(got))).toBe(true)
        expect(got.length).toBeGreaterThan(0)
      }),
      { numRuns: 25 },
    )
  })

  test('that was left by one daemon is gone on with by the next', async () => {
    const half = content.length / 2
    let held: ServerResponse | undefined
    await using server = await startFileServer((request, response, before) => {
      if (before > 0) return serveFile(request, response, { content, tag })
      held = response
      response.writeHead(200, { etag: tag, 'content-length': content.length })
      response.write(content.subarray(0, half))
    })
    {
      await using images = fixture().open()
      await untilFile(join(fixture().cacheDir), half, images, image(server.url))
    }
    await vi.waitUntil(() => held?.destroyed, SOON)
    await using images = fixture().open()
    expect((await kept(images, server.url)).content).toEqual(content)
    expect(server.ranges).toEqual([null, `bytes=${half}-`])
  })

  test('tells how far it is', async () => {
    await using server = await startFileServer((_request, response) => {
      response.writeHead(200, { etag: tag, 'content-length': content.length })
      response.write(content.subarray(0, 2 * MIB))
    })
    await using images = fixture().open()
    await untilFile(fixture().cacheDir, 2 * MIB, images, image(server.url))
    expect(images.look(image(server.url))).toEqual({
      kind: 'working',
      message: 'Downloading: 66 % of 3 MiB',
    })
  })

  test('that does not say how long the file is', async () => {
    await using server = await startFileServer((_request, response) => {
      response.write(content.subarray(0, MIB))
      response.end(content.subarray(MIB))
    })
    await using images = fixture().open()
    expect((await kept(images, server.url)).content).toEqual(content)
  })
})

/** Waits until a partial file of so many bytes is there. */
async function untilFile(root: string, bytes: number, images: MachineImages, want: ImageWant) {
  const deadline = AbortSignal.timeout(SETTLE_MS)
  for (;;) {
    deadline.throwIfAborted()
    const look = images.look(want)
    if (look.kind !== 'working') throw new Error(JSON.stringify(look))
    for (const name of await readdir(root).catch(() => []))
      if ((await stat(join(root, name, 'disk')).catch(() => null))?.size === bytes) return
    await fastClock(20).sleep(200)
  }
}
