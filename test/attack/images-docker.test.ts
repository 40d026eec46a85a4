/**
 * A client with an API key makes the Docker Engine connect to where the client cannot, and launches
 * images of the engine that are not the client's.
 *
 * Before: `docker://127.0.0.1:PORT/x` made the engine connect to that port, and the client saw its
 * answer; `docker://sha256:PREFIX` was any image in the engine by the first digits of its id, and
 * `docker://atoll-image:…` an image that another account had made of an instance.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDockerImages, type DockerImages } from '../../src/containers/images.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../src/model/ids.ts'
import { PUBLIC_REGISTRIES } from '../../src/model/image-location.ts'
import { startDocker, type TestDocker } from '../../tools/kit/docker.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'

const SETTLE_MS = 60_000

let netns: Netns
let leave: () => void
let engine: TestDocker
const opened: DockerImages[] = []

beforeAll(async () => {
  netns = await createNetns('attack-docker')
  leave = netns.enter()
  engine = await startDocker({ pid: netns.pid })
  await engine.makeSampleImages()
  await engine.makeImage('private:1', { Cmd: ['/bin/true'] })
})
afterAll(async () => {
  for (const images of opened) await images.close()
  await engine?.close()
  leave?.()
  await netns?.destroy()
})

function open(registries: readonly string[], local: readonly string[]): DockerImages {
  const images = createDockerImages({
    docker: engine.docker,
    sources: { registries, local },
    directories: [],
    maxBytes: 1024 ** 2,
    clock: systemClock,
    log: silentLog,
  })
  opened.push(images)
  return images
}

async function tell(images: DockerImages, location: string): Promise<string> {
  const id = formatId('ami', randomBytes(ID_BYTES))
  const look = () => images.look({ id, location, digest: null, driver: FIRST_DRIVERS.container })
  await eventually(`${location} is settled`, async () => look().kind !== 'working', SETTLE_MS)
  const found = look()
  return found.kind === 'failed' ? found.message.replace(location, 'LOCATION') : found.kind
}

test('the engine is not sent to where a client points it', async () => {
  let connections = 0
  const registry = createServer((_request, response) => response.writeHead(200).end('{}'))
  registry.on('connection', () => {
    connections += 1
  })
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  const { port } = registry.address() as AddressInfo
  try {
    const images = open(PUBLIC_REGISTRIES, ['*'])
    for (const host of [
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      `registry.local:${port}`,
      'localhost',
      '169.254.169.254',
      `docker.io:${port}`,
    ])
      expect(await tell(images, `docker://${host}/x:1`), host).toBe(
        'LOCATION is not on this host and cannot be pulled',
      )
    expect(connections).toBe(0)
  } finally {
    registry.close()
  }
})

test('an image of the engine cannot be used by its id', async () => {
  const { Id } = await engine.docker.getImage('private:1').inspect()
  const images = open([], ['*'])
  for (const digits of [1, 8, 12, 64])
    expect(await tell(images, `docker://${Id.slice(0, 'sha256:'.length + digits)}`)).not.toBe(
      'ready',
    )
  expect(await tell(images, 'docker://private:1')).toBe('ready')
})

test('nor one that the setting does not name, which keeps its name', async () => {
  const { Id } = await engine.docker.getImage('private:1').inspect()
  const images = open(PUBLIC_REGISTRIES, ['public-*'])
  for (const reference of [
    'private:1',
    'library/private:1',
    'docker.io/library/private:1',
    'docker.io/private:1',
  ])
    expect(await tell(images, `docker://${reference}`)).toBe(
      'LOCATION is not on this host and cannot be pulled',
    )
  expect((await engine.docker.getImage('private:1').inspect()).Id).toBe(Id)
})
