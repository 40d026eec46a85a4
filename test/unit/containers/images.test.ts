/**
 * Lookups of images: which content each is about, and that each ends. The engine is a stand-in; a
 * real one is in the lab.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { importArchive } from '../../../src/containers/archive.ts'
import { createDockerImages, type DockerImages } from '../../../src/containers/images.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../../src/model/ids.ts'
import type { ImageWant } from '../../../src/model/want.ts'
import type { ImageStatus } from '../../../src/plan/workloads.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { type FakeEngine, startFakeEngine } from '../../kit/fake-engine.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { SOON } from '../../kit/soon.ts'

const never = new AbortController().signal
let answer: (request: IncomingMessage, response: ServerResponse) => unknown
let engine: FakeEngine
let images: DockerImages

beforeEach(async () => {
  engine = await startFakeEngine((request, response) => answer(request, response))
  images = createDockerImages({
    docker: engine.docker,
    sources: { registries: [], local: ['*'] },
    directories: [],
    maxBytes: 1024 ** 3,
    clock: systemClock,
    log: silentLog,
  })
})
afterEach(async () => {
  await images.close()
  await engine.close()
})

/** Image `n` of the cloud at this location. */
function image(n: number, location: string, digest: string | null = null): ImageWant {
  return {
    id: formatId('ami', Buffer.alloc(ID_BYTES, n)),
    location,
    digest,
    driver: FIRST_DRIVERS.container,
  }
}

async function settled(want: ImageWant): Promise<ImageStatus> {
  return await vi.waitUntil(() => {
    const look = images.look(want)
    return look.kind === 'working' ? undefined : look
  }, SOON)
}

/** The engine has one image, whatever it is called, with this content. */
function hasContent(id: string): void {
  answer = (_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ Id: id, Architecture: 'amd64', Config: {} }))
  }
}

test('a location that holds something else by now gives the next image its new content', async () => {
  hasContent('sha256:old')
  expect(await settled(image(1, 'docker://web:1'))).toMatchObject({ digest: 'sha256:old' })
  hasContent('sha256:new')
  expect(await settled(image(2, 'docker://web:1'))).toMatchObject({ digest: 'sha256:new' })
  expect(await settled(image(1, 'docker://web:1'))).toMatchObject({ digest: 'sha256:old' })
})

test.each([
  ['says nothing', ''],
  ['says the same again and again', '{"id":"a","progressDetail":{"current":1,"total":9}}\n'],
])(
  'a pull that %s is given up',
  async (_what, line) => {
    answer = ({ method }, response) => {
      if (method === 'GET') return response.writeHead(404).end('{}')
      if (line === '') return undefined
      const timer = setInterval(() => response.write(line), 20)
      response.once('close', () => clearInterval(timer))
      return undefined
    }
    await images.close()
    images = createDockerImages({
      docker: engine.docker,
      sources: { registries: ['registry.test'], local: [] },
      directories: [],
      maxBytes: 1024 ** 3,
      // Ten minutes are half a second.
      clock: fastClock(1_200),
      log: silentLog,
    })
    const want = image(1, 'docker://registry.test/web:1')
    // At the moment of the change: with a fast clock a failed look is soon repeated.
    const changed = Promise.withResolvers<ImageStatus>()
    images.watch(() => {
      const now = images.look(want)
      if (now.kind !== 'working') changed.resolve(now)
    })
    images.look(want)
    const look = await changed.promise
    expect(look).toEqual({
      kind: 'failed',
      message: 'docker://registry.test/web:1 is not on this host and cannot be pulled',
      permanent: true,
    })
  },
  30_000,
)

test('content that is no longer known is looked at again', async () => {
  hasContent('sha256:a')
  const want = image(1, 'docker://web:1')
  await settled(want)
  images.forget('sha256:a')
  await expect(images.details('sha256:a')).rejects.toMatchObject({ kind: 'unavailable' })
  expect(images.look(want)).toMatchObject({ kind: 'working' })
  await settled(want)
  expect(await images.details('sha256:a')).toMatchObject({ architecture: 'x86_64' })
})

test('an import ends when the engine goes away while it is being fed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-import-'))
  try {
    const path = join(directory, 'rootfs.tar')
    const bytes = 8 * 1024 ** 2
    await writeFile(path, Buffer.alloc(bytes))
    // It takes the first of the body and no more.
    answer = (request) => request.once('data', () => request.socket.destroy())
    const archive = { path, digest: 'sha256:0', compressed: false }
    const limits = { directories: [directory], maxBytes: bytes, clock: systemClock }
    const imported = importArchive(engine.docker, archive, limits, () => undefined, never)
    await expect(imported).rejects.toMatchObject({
      code: expect.stringMatching(/ECONNRESET|EPIPE/),
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
