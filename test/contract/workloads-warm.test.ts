/**
 * Containers that are started before a launch asks for them, on a real engine: a launch that takes
 * one gets what any launch gets, and nobody gets one twice.
 */
import { readFile, rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unavailable } from '../../src/model/errors.ts'
import { containerName } from '../../src/model/names.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { WarmWant } from '../../src/model/warm-instance.ts'
import { planWorkload, type WorkloadHave } from '../../src/plan/workloads.ts'
import type { WarmDriver, WorkloadDriver } from '../../src/workloads/driver.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { instance } from '../../tools/kit/instance.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const SETUP_MS = 180_000
const DEADLINE_MS = 30_000
const IMAGE = 'docker://warm:1'
/** Of the image's own health check: the shortest that the engine takes is a millisecond. */
const CHECK_NS = 10_000_000
const PROGRAM = `trap 'exit 0' TERM
echo began >>/began
until [ -e /end ]; do sleep 0.05; done`
const USER_DATA = Buffer.from('#!/bin/sh\necho ran >>/ran\n').toString('base64')

describe.skipIf(!canRunDocker())('warm containers (need root)', () => {
  let machine: DockerMachine
  let driver: WorkloadDriver
  beforeAll(async () => {
    machine = await startDockerMachine()
    const Healthcheck = { Test: ['CMD-SHELL', 'echo checked >>/began'], Interval: CHECK_NS }
    await machine.engine.makeImage('warm:1', { Cmd: ['/bin/sh', '-c', PROGRAM], Healthcheck })
    await machine.engine.makeImage('warm:2', { Cmd: ['/bin/sh', '-c', `true; ${PROGRAM}`] })
    driver = machine.freshDriver()
  }, SETUP_MS)
  afterAll(() => machine?.close(), SETUP_MS)

  const signal = AbortSignal.timeout(SETUP_MS)

  async function digestOf(location: string): Promise<string> {
    const found = await machine.settle({ ...instance(1).image, location, digest: null })
    if (found.kind !== 'ready') throw new Error(`${location} is ${found.kind}`)
    return found.digest
  }

  /** Instance `n` as a launch would make it, with the link of its NIC. */
  async function ask(n: number, changes: Partial<InstanceWant> = {}): Promise<InstanceWant> {
    const hostname = instance(n).id
    return await machine.prepare(n, IMAGE, { hostname, userData: USER_DATA, ...changes })
  }

  function warm(by = driver): WarmDriver {
    if (by.warm === undefined) throw new Error('the driver starts none before it is asked for')
    return by.warm
  }

  /** Starts the one that instance `want` will get. */
  async function wait(want: InstanceWant, by = driver): Promise<string> {
    const digest = await digestOf(IMAGE)
    const kind: WarmWant = { image: { ...want.image, digest }, type: want.type, count: 1 }
    await warm(by).prepare(want.id, kind, signal)
    return digest
  }

  async function find({ id }: InstanceWant, by = driver): Promise<WorkloadHave | undefined> {
    return (await by.list({ fresh: true, signal })).find((have) => have.instance === id)
  }

  /** What the plan makes of it. */
  async function step(want: InstanceWant | undefined, id: InstanceWant, by = driver) {
    const digest = await digestOf(IMAGE)
    const ready = { kind: 'ready', digest, architecture: 'x', diskGiB: null } as const
    return planWorkload(want, await find(id, by), () => ready).step?.kind
  }

  const containerOf = ({ id }: InstanceWant) =>
    machine.engine.docker.getContainer(containerName(id))
  /** Whether one of its processes waits for somebody to open the FIFO. */
  async function isBlocked(want: InstanceWant): Promise<boolean> {
    const { Processes } = await containerOf(want).top({ ps_args: '-o pid' })
    const pids = (Processes as readonly (readonly string[])[]).flat()
    const calls = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/wchan`, 'utf8')))
    return calls.some((call) => /fifo|wait_for_partner/.test(call))
  }
  const ranOnce = async (want: InstanceWant) =>
    (await machine.inside(want, 'cat /began /ran 2>/dev/null || true')) === 'began\nran\n'

  it('become an instance with key, user data, names and NIC, and keep them when they boot again', async () => {
    const want = await ask(21)
    const digest = await wait(want)
    expect(warm().waiting()).toEqual([
      { id: want.id, image: want.image.id, digest, type: want.type.name },
    ])
    expect(await find(want)).toMatchObject({ warm: 'ready', state: { plugged: false } })
    expect(await machine.answers(want)).toBe(false)
    await eventually('it looks for nothing', () => isBlocked(want), DEADLINE_MS)
    const { StartedAt, Health } = (await containerOf(want).inspect()).State
    expect(Health).toBeUndefined()
    const permitted: unknown[] = []
    await warm().adopt(want, digest, signal, async (id) => void permitted.push(id))
    expect(permitted).toEqual([(await containerOf(want).inspect()).Id])
    expect((await containerOf(want).inspect()).State.StartedAt).toBe(StartedAt)
    expect(await find(want)).toMatchObject({
      ...{ bootCount: 1, takenBy: want.reservation, state: { kind: 'running', plugged: true } },
    })
    expect(await find(want)).not.toHaveProperty('warm')
    await eventually('it answers', () => machine.answers(want), DEADLINE_MS)
    await eventually('it has begun', () => ranOnce(want), DEADLINE_MS)
    await hasNames(want)
    const key = await machine.inside(want, 'cat /root/.ssh/authorized_keys')
    expect(key).toContain(want.publicKey)
    await driver.stop(want.id, signal)
    await driver.start({ ...want, bootCount: 2, ran: true }, signal)
    await eventually('it answers again', () => machine.answers(want), DEADLINE_MS)
    await hasNames(want)
    expect(await find(want)).toMatchObject({ bootCount: 2, takenBy: want.reservation })
    await driver.remove(want.id, null)
  })

  async function hasNames(want: InstanceWant): Promise<void> {
    const [nic] = want.nics
    const hosts = await machine.inside(want, 'cat /etc/hosts')
    expect(hosts).toMatch(new RegExp(`^${nic?.ip}\\s+${want.id}.atoll.internal ${want.id}$`, 'm'))
    const resolv = await machine.inside(want, 'cat /etc/resolv.conf')
    expect(resolv).toContain(`nameserver ${nic?.gateway}\nnameserver 169.254.169.253\n`)
    expect(resolv).toContain('search atoll.internal')
    expect(`${hosts}${resolv}`).not.toContain('192.0.2.1')
    expect(await machine.inside(want, 'hostname')).toBe(`${want.id}\n`)
  }

  it('are given to one launch, and never again, whatever becomes of it', async () => {
    const want = await ask(2)
    const digest = await wait(want)
    await warm().adopt(want, digest, signal)
    await expect(warm().adopt(want, digest, signal)).rejects.toThrow('nothing waits')
    expect(warm().waiting()).toEqual([])
    // Its boot record is lost, and it has no row any more.
    const boot = `${machine.stateDir}/instances/${want.id}/boot.json`
    await rm(boot)
    for (const by of [driver, machine.freshDriver()]) {
      expect(await find(want, by)).toMatchObject({ warm: 'spoilt' })
      expect(warm(by).waiting()).toEqual([])
      expect(await step(undefined, want, by)).toBe('remove')
    }
    expect(await step({ ...want, ran: true }, want)).toBe('plug')
    expect(await step({ ...want, reservation: instance(9).reservation }, want)).toBe('remove')
    await driver.remove(want.id, null)
  })

  it('are removed for a launch whose id another had, of which the records know nothing', async () => {
    const want = await ask(3)
    await warm().adopt(want, await wait(want), signal)
    const other = { ...want, reservation: instance(9).reservation }
    expect(await step(other, want, machine.freshDriver())).toBe('remove')
    await driver.remove(want.id, null)
    expect(await step(other, want)).toBe('launch')
  })

  it('are removed and launched if the daemon dies while they wait', async () => {
    const want = await ask(4)
    const digest = await wait(want)
    const later = machine.freshDriver()
    expect(await step(undefined, want, later)).toBe('remove')
    expect(await step(want, want, later)).toBe('remove')
    await expect(warm(later).adopt(want, digest, signal)).rejects.toMatchObject({
      kind: 'unavailable',
    })
    await later.remove(want.id, null)
    expect(await step(want, want, later)).toBe('launch')
  })

  it('get their NIC if the daemon dies when they are taken', async () => {
    const want = await ask(5)
    const digest = await wait(want)
    // A VPC that is not on this host.
    const nics = want.nics.map((nic) => ({ ...nic, network: 4094 }))
    await expect(warm().adopt({ ...want, nics }, digest, signal)).rejects.toThrow()
    const later = machine.freshDriver()
    expect(await find(want, later)).toMatchObject({ bootCount: 1, takenBy: want.reservation })
    expect(await step(want, want, later)).toBe('plug')
    await later.plug(want, signal)
    await eventually('it answers', () => machine.answers(want), DEADLINE_MS)
    await eventually('it has begun', () => ranOnce(want), DEADLINE_MS)
    await hasNames(want)
    // What the guest changes stays when a daemon finds it again.
    await machine.inside(want, 'echo nameserver 192.0.2.77 >/etc/resolv.conf')
    await machine.freshDriver().plug(want, signal)
    expect(await machine.inside(want, 'cat /etc/resolv.conf')).toBe('nameserver 192.0.2.77\n')
    await later.remove(want.id, null)
  })

  it('are no instance that may not start here', async () => {
    const want = await ask(15)
    const digest = await wait(want)
    const refused = warm().adopt(want, digest, signal, async () => {
      throw unavailable('another host may have started it')
    })
    await expect(refused).rejects.toThrow('another host')
    for (const by of [driver, machine.freshDriver()])
      expect(await step(want, want, by)).toBe('remove')
    expect(await machine.answers(want)).toBe(false)
    await driver.remove(want.id, null)
  })

  it.each<[string, number, (want: InstanceWant) => Promise<unknown>]>([
    ['killed', 6, (want) => containerOf(want).kill()],
    ['restarted', 7, (want) => containerOf(want).restart({ t: 0 })],
    ['paused', 8, (want) => containerOf(want).pause()],
    ['removed', 9, (want) => containerOf(want).remove({ force: true })],
  ])('do not wait any more when they were %s', async (_what, n, harm) => {
    const want = await ask(n)
    const digest = await wait(want)
    await harm(want)
    // Before anybody has looked.
    await expect(warm().adopt(want, digest, signal)).rejects.toMatchObject({ kind: 'unavailable' })
    await eventually(
      'it can be launched',
      async () => {
        const next = await step(want, want)
        if (next === 'remove') await driver.remove(want.id, null)
        return next === 'launch'
      },
      DEADLINE_MS,
    )
    await driver.launch(want, digest, signal)
    await eventually('it answers', () => machine.answers(want), DEADLINE_MS)
    await driver.remove(want.id, null)
  })

  it('are not waiting once a list has seen what happened to them', async () => {
    const want = await ask(10)
    await wait(want)
    await containerOf(want).restart({ t: 0 })
    expect(await find(want)).toMatchObject({ warm: 'spoilt' })
    expect(warm().waiting()).toEqual([])
    await driver.remove(want.id, null)
  })

  it('become no instance of another image, type or name', async () => {
    const differing: readonly [number, Partial<InstanceWant>, string][] = [
      [11, {}, 'docker://warm:2'],
      [12, { type: { ...instance(1).type, memoryMiB: 96 } }, IMAGE],
      [13, { hostname: 'another' }, IMAGE],
    ]
    for (const [n, changes, location] of differing) {
      const want = await ask(n)
      await wait(want)
      const other = { ...want, ...changes }
      await expect(warm().adopt(other, await digestOf(location), signal)).rejects.toThrow(
        'something else',
      )
      expect(await step(other, want)).toBe('remove')
      await driver.remove(want.id, null)
    }
  })

  it('are made again after half a start, and discarded ones are not given away', async () => {
    const want = await ask(14)
    await wait(want)
    const digest = await wait(want)
    warm().discard(want.id)
    expect(await find(want)).toMatchObject({ warm: 'spoilt' })
    await expect(warm().adopt(want, digest, signal)).rejects.toThrow('nothing waits')
    await driver.remove(want.id, null)
    expect(await find(want)).toBeUndefined()
  })
})
