/**
 * A container that fills the host's disk: with one file, and in a volume that its image asks for.
 *
 * On the old code nothing looked: it could go on until the file system was full, and its neighbours
 * could write nothing any more.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceWant } from '../../src/model/want.ts'
import { planWorkload } from '../../src/plan/workloads.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const CALM = 'trap "exit 0" TERM; until [ -e /end ]; do sleep 0.1; done'
const DEADLINE_MS = 60_000

describe.skipIf(!canRunDocker())('a container that fills the disk (needs root)', () => {
  let machine: DockerMachine
  let driver: WorkloadDriver
  const wants = new Map<number, InstanceWant>()

  beforeAll(async () => {
    machine = await startDockerMachine()
    await machine.engine.makeImage('filler:1', {
      Cmd: ['/bin/sh', '-c', CALM],
      Volumes: { '/volume': {} },
    })
    driver = machine.freshDriver()
    for (const n of [1, 2, 3]) {
      const type = { name: 'at1.test', vcpus: 1, memoryMiB: 64, diskGiB: 1 }
      const want = await machine.prepare(n, 'docker://filler:1', { type })
      const found = await machine.settle(want.image)
      if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
      await driver.launch(want, found.digest, AbortSignal.timeout(DEADLINE_MS))
      wants.set(n, want)
    }
    await machine.inside(wantOf(1), 'fallocate -l 1100M /big')
    await machine.inside(wantOf(2), 'fallocate -l 1100M /volume/big')
    await machine.inside(wantOf(3), 'truncate -s 5G /holes')
  }, 120_000)
  afterAll(() => machine.close(), 120_000)

  const wantOf = (n: number): InstanceWant => {
    const want = wants.get(n)
    if (want === undefined) throw new Error(`no instance ${n}`)
    return want
  }
  async function lookAt(n: number) {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    const haves = await driver.list({ fresh: false, signal })
    return haves.find(({ instance }) => instance === wantOf(n).id)
  }

  it.each([
    [1, 'with one file', /it has written 2 GiB; its limit is 1 GiB/],
    [2, 'in a volume', /it has written 2 GiB/],
  ])('is detected, %i: %s', async (n, _how, message) => {
    const isFound = async () => (await lookAt(n))?.excess !== undefined
    await eventually('its excess is seen', isFound, DEADLINE_MS)
    const have = await lookAt(n)
    expect(have?.excess).toMatch(message)
    const plan = planWorkload(wantOf(n), have, () => ({
      kind: 'failed',
      message: '',
      permanent: false,
    }))
    expect(plan.facts).toMatchObject([{ kind: 'stopped', code: 'Client.VolumeLimitExceeded' }])
  })

  it('takes nothing from a neighbour, nor does a file with holes', async () => {
    const others = async () => (await lookAt(1))?.excess !== undefined
    await eventually('all were looked at', others, DEADLINE_MS)
    const have = await lookAt(3)
    expect(have?.excess).toBeUndefined()
    expect(have?.marks).toEqual([
      { key: 'aws:atoll:isolation', value: 'user-namespace' },
      { key: 'aws:atoll:disk', value: 'watched' },
    ])
  })
})
