/**
 * What a real Docker Engine says of containers that it cannot start: some of it is the image's
 * fault, for good, and the rest is this host's, for a moment perhaps.
 */
import { rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const SETUP_MS = 180_000

describe.skipIf(!canRunDocker())('containers that cannot start (need root)', () => {
  let machine: DockerMachine
  let driver: WorkloadDriver
  beforeAll(async () => {
    machine = await startDockerMachine()
    driver = machine.freshDriver()
  }, SETUP_MS)
  afterAll(() => machine?.close(), SETUP_MS)

  async function prepare(n: number, location: string) {
    const want = await machine.prepare(n, location)
    const found = await machine.settle(want.image)
    if (found.kind !== 'ready') throw new Error(`${location} is ${found.kind}`)
    return { want, digest: found.digest }
  }
  const signal = AbortSignal.timeout(SETUP_MS)

  /** An image that a command has changed, and these lines of a Dockerfile. */
  async function makeChanged(repo: string, command: string, changes: string): Promise<void> {
    const container = await machine.engine.docker.createContainer({
      ...{ Image: 'atoll-sample:static', Cmd: ['/bin/sh', '-c', command] },
      HostConfig: { NetworkMode: 'none' },
    })
    await container.start()
    await container.wait()
    await container.commit({ repo, tag: '1', changes: `${changes}\nCMD ["/bin/sh"]` })
    await container.remove()
  }

  it.each([
    [1, 'no such user', { User: 'no-such-user' }],
    [2, 'no such group', { User: 'root:no-such-group' }],
    [3, 'a user beyond those of the user namespace', { User: '3000000' }],
    [4, 'a group beyond those of the user namespace', { User: '0:3000000' }],
    [5, 'a user that is no number', { User: '99999999999' }],
  ])("the image's fault, instance %i: %s", async (n, _what, config) => {
    await machine.engine.makeImage(`refused-${n}:1`, config)
    const { want, digest } = await prepare(n, `docker://refused-${n}:1`)
    await expect(driver.launch(want, digest, signal)).rejects.toMatchObject({ kind: 'refused' })
    await driver.remove(want.id, null)
  })

  it.each([
    [11, 'a file where the kit is mounted', 'echo >/.atoll', ''],
    [12, 'a working directory that is a file', 'echo >/file', 'WORKDIR /file'],
  ])("the image's fault, instance %i: %s", async (n, _what, command, changes) => {
    await makeChanged(`changed-${n}`, command, changes)
    const { want, digest } = await prepare(n, `docker://changed-${n}:1`)
    await expect(driver.launch(want, digest, signal)).rejects.toMatchObject({ kind: 'refused' })
    await driver.remove(want.id, null)
  })

  it("the host's fault: the hook of the engine fails for a moment", async () => {
    const { want, digest } = await prepare(21, 'docker://atoll-sample:static')
    const sockets = join(dirname(machine.engine.socketPath), 'exec/libnetwork')
    await rename(sockets, `${sockets}.away`)
    try {
      await expect(driver.launch(want, digest, signal)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/hook #0.*no such file or directory/),
      })
    } finally {
      await rename(`${sockets}.away`, sockets)
    }
    // The container is there.
    await driver.start(want, signal)
    const [have] = await driver.list({ fresh: true, signal })
    expect(have).toMatchObject({ instance: want.id, state: { kind: 'running' }, bootCount: 1 })
    await driver.remove(want.id, null)
  })
})
