/**
 * Containers that are paused: by an operator (`docker pause`), and by us while an image is made of
 * them. They keep their NIC, and only the former are taken for stopped as a whole. And those that a
 * step works on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type InstanceId, parseId } from '../../src/model/ids.ts'
import { containerName } from '../../src/model/names.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const DEADLINE_MS = 60_000
const SETUP_MS = 180_000

describe.skipIf(!canRunDocker())('paused containers (need root)', { timeout: SETUP_MS }, () => {
  let machine: DockerMachine
  beforeAll(async () => {
    machine = await startDockerMachine()
  }, SETUP_MS)
  afterAll(async () => {
    // After a failure: the end of an engine leaves what is frozen.
    for (const { Id } of (await machine?.engine.docker.listContainers()) ?? [])
      await machine.engine.docker
        .getContainer(Id)
        .unpause()
        .catch(() => undefined)
    await machine?.close()
  }, SETUP_MS)

  async function launch(n: number, driver: WorkloadDriver): Promise<InstanceWant> {
    const want = await machine.prepare(n, 'docker://atoll-sample:static')
    const found = await machine.settle(want.image)
    if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
    await driver.launch(want, found.digest, AbortSignal.timeout(SETUP_MS))
    return want
  }

  async function stateOf({ id }: InstanceWant, driver: WorkloadDriver, fresh: boolean) {
    const all = await driver.list({ fresh, signal: AbortSignal.timeout(SETUP_MS) })
    return all.find(({ instance }) => instance === id)?.state
  }

  it('one that an operator has paused keeps its NIC and is halted until it goes on', async () => {
    const driver = machine.freshDriver()
    const want = await launch(2, driver)
    await eventually('it answers', () => machine.answers(want), DEADLINE_MS)
    const container = machine.engine.docker.getContainer(containerName(want.id))
    await container.pause()
    for (const fresh of [true, false])
      expect(await stateOf(want, driver, fresh)).toMatchObject({ kind: 'running', plugged: true })
    expect(await machine.answersArp(want)).toBe(true)
    expect(await driver.pulse?.(want.id, 1)).toBe('halted')
    // A daemon that has just started knows nothing of its NICs, and plugs them in again.
    const next = machine.freshDriver()
    expect(await stateOf(want, next, true)).toMatchObject({ kind: 'running', plugged: false })
    await next.plug(want, AbortSignal.timeout(SETUP_MS))
    expect(await stateOf(want, next, true)).toMatchObject({ kind: 'running', plugged: true })
    await container.unpause()
    expect(await next.pulse?.(want.id, 1)).toBe('runs')
    await eventually('it answers again', () => machine.answers(want), DEADLINE_MS)
    await container.pause()
    await next.stop(want.id, AbortSignal.timeout(SETUP_MS))
    expect(await stateOf(want, next, true)).toMatchObject({ kind: 'ended' })
    await next.remove(want.id, null)
  })

  it('one with a step in progress is listed, and nothing is read of it', async () => {
    const driver = machine.freshDriver()
    const want = await launch(4, driver)
    const { Id } = await machine.engine.docker.getContainer(containerName(want.id)).inspect()
    const signal = AbortSignal.timeout(SETUP_MS)
    const list = (busy: readonly InstanceId[]) =>
      driver.list({ fresh: true, busy: new Set(busy), signal })
    const seen = { instance: want.id, container: Id }
    expect(await list([])).toMatchObject([{ ...seen, state: { kind: 'running' } }])
    expect(await list([want.id])).toEqual([{ ...seen, state: { kind: 'busy' }, bootCount: null }])
    await driver.remove(want.id, null)
  })

  it('one that is paused while an image is made of it counts as running', async () => {
    const driver = machine.freshDriver()
    const want = await launch(3, driver)
    await machine.inside(want, 'dd if=/dev/zero of=/big bs=1M count=64')
    const image = parseId('ami', 'ami-0123456789abcdef0')
    if (image === undefined) throw new Error('no id')
    const ending = new AbortController()
    const of = { instance: want.id, origin: want.image.location, reboot: true }
    const made = driver.capturer
      ?.capture({ ...want.image, ...of, id: image }, () => undefined, ending.signal)
      .finally(() => ending.abort())
    const seen = new Set<string | undefined>()
    while (!ending.signal.aborted) {
      const { State } = await machine.engine.docker.getContainer(containerName(want.id)).inspect()
      if (State.Paused) seen.add(await driver.pulse?.(want.id, 1))
    }
    await made
    // A fast engine may be done before it is seen paused.
    expect([...seen, 'runs']).not.toContain('halted')
    await driver.capturer?.keep(new Set(), new Set())
    await driver.remove(want.id, null)
  })
})
