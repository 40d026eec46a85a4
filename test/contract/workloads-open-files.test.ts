/**
 * A Docker Engine with a low limit of open files, for example that of the shell from which it was
 * started. Within a user namespace the limit cannot be raised, so a type that would have more gets
 * what there is, and does not fail at each start with an error of the engine.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const OPEN_FILES = 3000
const SETUP_MS = 180_000

describe.skipIf(!canRunDocker())('an engine that may have few files open (needs root)', () => {
  let machine: DockerMachine
  beforeAll(async () => {
    machine = await startDockerMachine({ openFiles: OPEN_FILES })
  }, SETUP_MS)
  afterAll(() => machine?.close(), SETUP_MS)

  it.each([
    [1, 64, 2048],
    [2, 1024, OPEN_FILES],
  ])('instance %d with %d MiB of memory: %d files', async (n, memoryMiB, expected) => {
    const type = { name: 't3.micro', vcpus: 1, memoryMiB, diskGiB: 8 }
    const want = await machine.prepare(n, 'docker://atoll-sample:static', { type })
    const found = await machine.settle(want.image)
    if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
    const signal = AbortSignal.timeout(SETUP_MS)
    await machine.freshDriver().launch(want, found.digest, signal)
    expect((await machine.inside(want, 'ulimit -Hn')).trim()).toBe(String(expected))
  })
})
