/**
 * Faults that operators found with a registry of their own: two Docker Engines, as on two hosts,
 * and Debian's docker-registry with a login.
 */

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDockerImages, type DockerImages } from '../../src/containers/images.ts'
import { loginFor } from '../../src/containers/logins.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import type { ImageWant } from '../../src/model/want.ts'
import type { ImageStatus } from '../../src/plan/workloads.ts'
import { canRunDocker, startDocker, type TestDocker } from '../../tools/kit/docker.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { numbered } from '../kit/records.ts'
import { canRunRegistry, REGISTRY, REGISTRY_USER, startRegistry } from '../kit/registry.ts'

const DEADLINE_MS = 60_000
const TEST_MS = 3 * DEADLINE_MS
const LOCATION = `docker://${REGISTRY}/team/app:1`

describe.skipIf(!canRunDocker() || !canRunRegistry())('a registry', { timeout: TEST_MS }, () => {
  let netns: Netns
  let leave: () => void
  let registry: Awaited<ReturnType<typeof startRegistry>>
  let one: TestDocker
  let other: TestDocker
  let dir: string
  let path: string | undefined
  const opened: DockerImages[] = []
  let count = 0

  /** The images of a host whose operator has this in Docker's config.json. */
  async function host(engine: TestDocker, config: string | object | null): Promise<DockerImages> {
    count += 1
    const file = join(dir, `config-${count}.json`)
    if (config !== null)
      await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config))
    const images = createDockerImages({
      docker: engine.docker,
      sources: { registries: [REGISTRY], local: [] },
      login: (name) => loginFor(name, { file, run: systemRunner, log: silentLog }),
      directories: [],
      maxBytes: 1024 ** 2,
      clock: systemClock,
      log: silentLog,
    })
    opened.push(images)
    return images
  }

  async function settle(images: DockerImages, changes: Partial<ImageWant>): Promise<ImageStatus> {
    count += 1
    const id = numbered('ami', count)
    const want = {
      id,
      location: LOCATION,
      digest: null,
      driver: FIRST_DRIVERS.container,
      ...changes,
    }
    await eventually('it is settled', () => images.look(want).kind !== 'working', DEADLINE_MS)
    return images.look(want)
  }

  /**
   * Makes an image of its own content, publishes it as the tag, and forgets it here. Gives its id.
   */
  async function publish(content: string): Promise<string> {
    const { docker } = one
    const tag = `${REGISTRY}/team/app`
    await one.makeImage('publish:1', { Cmd: ['/bin/echo', content] })
    await docker.getImage('publish:1').tag({ repo: tag, tag: '1' })
    const image = docker.getImage(`${tag}:1`)
    const { Id } = await image.inspect()
    const stream = await image.push({ authconfig: { ...REGISTRY_USER, serveraddress: REGISTRY } })
    const pushed = new Promise<unknown[]>((done, fail) =>
      docker.modem.followProgress(stream, (error, output) => (error ? fail(error) : done(output))),
    )
    expect(JSON.stringify(await pushed)).toContain('Digest')
    await image.remove({ force: true })
    await docker.getImage('publish:1').remove({ force: true })
    return Id
  }

  const auth = Buffer.from(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`).toString('base64')
  const loggedIn = { auths: { [REGISTRY]: { auth } } }

  beforeAll(async () => {
    netns = await createNetns('registry')
    leave = netns.enter()
    dir = await mkdtemp(join(tmpdir(), 'atoll-logins-'))
    registry = await startRegistry()
    one = await startDocker({ pid: netns.pid })
    other = await startDocker({ pid: netns.pid })
    await one.makeSampleImages()
    path = process.env['PATH']
    process.env['PATH'] = `${dir}:${path}`
  }, TEST_MS)
  afterAll(async () => {
    if (path !== undefined) process.env['PATH'] = path
    for (const images of opened) await images.close()
    await one?.close()
    await other?.close()
    await registry?.close()
    leave?.()
    await netns?.destroy()
    await rm(dir, { recursive: true, force: true })
  })

  it('is asked with the credentials of docker login, by file and by helper, and no client sees them', async () => {
    const id = await publish('first')
    const strange = { auths: { 'other.example': { auth } } }
    const wrong = {
      auths: { [REGISTRY]: { auth: Buffer.from('puller:wrong').toString('base64') } },
    }
    for (const config of [null, strange, wrong, '{"auths": ']) {
      const found = await settle(await host(other, config), {})
      expect(found).toMatchObject({ kind: 'failed' })
      expect(JSON.stringify(found)).not.toContain(REGISTRY_USER.password)
    }
    expect(await settle(await host(other, loggedIn), {})).toMatchObject({ digest: id })
    await other.docker.getImage(id).remove({ force: true })
    const helper = join(dir, 'docker-credential-atolltest')
    const { username, password } = REGISTRY_USER
    const answer = JSON.stringify({ ServerURL: REGISTRY, Username: username, Secret: password })
    await writeFile(helper, `#!/bin/sh\n[ "$(cat)" = ${REGISTRY} ] && echo '${answer}'\n`)
    await chmod(helper, 0o755)
    for (const config of [
      { auths: { [REGISTRY]: {} }, credsStore: 'atolltest' },
      { credHelpers: { [REGISTRY]: 'atolltest' } },
    ]) {
      expect(await settle(await host(other, config), {})).toMatchObject({ digest: id })
      await other.docker.getImage(id).remove({ force: true })
    }
  })

  it('has an image for every host whose tag has moved since it was registered', async () => {
    const id = await publish('pinned')
    const found = await settle(await host(one, loggedIn), {})
    expect(found).toMatchObject({ kind: 'ready', digest: id })
    if (found.kind !== 'ready') return
    const { digest, repositoryDigest } = found
    const moved = await publish('moved')
    const elsewhere = await host(other, loggedIn)
    // What an older daemon has recorded.
    expect(await settle(elsewhere, { digest })).toMatchObject({ kind: 'failed' })
    expect(await settle(elsewhere, {})).toMatchObject({ digest: moved })
    const pinned = await settle(await host(other, loggedIn), { digest, repositoryDigest })
    expect(pinned).toMatchObject({ kind: 'ready', digest })
    expect(await settle(await host(other, loggedIn), {})).toMatchObject({ digest: moved })
  })
})
