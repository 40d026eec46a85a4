/**
 * Parts of engines hang while the rest answers: the QEMU of one machine, qemu-img, the shim of one
 * container, containerd.
 *
 * Before: health did not name a QEMU that hung; a machine whose disk could not be created was
 * `pending` for a minute without a reason; one container whose shim hung delayed all containers of
 * the host. Now only that instance waits, and health says what it waits for.
 */
import { dirname, join } from 'node:path'
import { GetConsoleOutputCommand, StopInstancesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import {
  type HangingPrograms,
  hangingPrograms,
  healthProblems,
  processesLike,
  within,
} from '../kit/hung.ts'

/** An emulated guest on a busy machine. */
const DEADLINE_MS = 60_000
/** Launches of others take about one. */
const USUAL_MS = 30_000
const ANSWER_MS = 10_000
const GATEWAY = '172.31.0.1'

describe.skipIf(!canRunMachines())('a part that hangs (needs root and QEMU)', () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let programs: HangingPrograms
  let tiny: string
  let sample: string
  let machine: string

  async function launch(image: string): Promise<string> {
    return (await ask.launch(image))[0] ?? ''
  }
  /** All that others do goes on in the usual time: launches, names, addresses, ends. */
  async function othersStillWork(image: string): Promise<void> {
    const began = performance.now()
    const id = await launch(image)
    await ask.untilState(id, 'running')
    const asked = ['+time=2', '+tries=3', '+short', `@${GATEWAY}`, `${id}.atoll.internal`]
    const { stdout } = await execute('dig', asked)
    expect(stdout.trim()).toBe((await ask.look(id)).PrivateIpAddress)
    if (image === sample) await ask.untilItAnswers(id)
    await ask.terminate(id)
    expect(performance.now() - began).toBeLessThan(USUAL_MS)
  }
  const named = (what: RegExp) =>
    eventually(
      `health names ${what}`,
      async () => (await healthProblems()).some((one) => what.test(one)),
      DEADLINE_MS,
    )
  /**
   * Kills the daemon and starts it again; it need not become healthy. `healthy` resolves when it
   * is.
   */
  async function restart(): Promise<{ readonly healthy: Promise<void> }> {
    await cloud.stop('SIGKILL')
    const healthy = cloud.start({ env: { PATH: programs.path } })
    healthy.catch(() => undefined)
    const answers = () =>
      healthProblems().then(
        () => true,
        () => false,
      )
    await eventually('it is up', answers, DEADLINE_MS)
    return { healthy }
  }
  const wellAgain = () =>
    eventually(
      'everything is healthy',
      async () => (await healthProblems()).length === 0,
      DEADLINE_MS,
    )
  const stop = (pids: readonly number[], signal: 'SIGSTOP' | 'SIGCONT') => {
    expect(pids).toHaveLength(1)
    for (const pid of pids) process.kill(pid, signal)
  }

  beforeAll(async () => {
    cloud = await createCloud('parts', 'qemu: {accel: tcg, stopSeconds: 5}\n')
    programs = await hangingPrograms(cloud, ['qemu-img'])
    await cloud.stop('SIGTERM')
    await cloud.start({ env: { PATH: programs.path } })
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
    tiny = await ask.register(
      'tiny',
      (await placeTinyGuest(join(cloud.dir, 'state/images'))).location,
    )
    sample = await ask.register('sample', 'docker://atoll-sample:latest')
    machine = await launch(tiny)
    await ask.untilItAnswers(machine)
  }, 3 * DEADLINE_MS)
  afterAll(() => cloud?.destroy())

  it('a QEMU, also for a daemon that starts then', async () => {
    const qemu = await processesLike((line) => /qemu-system/.test(line) && line.includes(machine))
    stop(qemu, 'SIGSTOP')
    try {
      await othersStillWork(tiny)
      await named(new RegExp(`services: machines: the QEMU of ${machine} .* does not answer`))
      const console = new GetConsoleOutputCommand({ InstanceId: machine })
      await within(ANSWER_MS, 'the console', cloud.ec2.send(console))
      const { healthy } = await restart()
      await othersStillWork(sample)
      await named(new RegExp(`the QEMU of ${machine} .* does not answer`))
      stop(qemu, 'SIGCONT')
      await healthy
      await wellAgain()
      await ask.untilItAnswers(machine)
      stop(qemu, 'SIGSTOP')
      await ask.terminate(machine)
      expect(await processesLike((line) => line.includes(machine))).toEqual([])
    } finally {
      for (const pid of qemu) await execute('kill', ['-CONT', String(pid)])
    }
    await wellAgain()
  }, 180_000)

  it('qemu-img', async () => {
    await programs.hang('qemu-img')
    const waits = await launch(tiny)
    await othersStillWork(sample)
    await named(/services: machines: qemu-img does not finish/)
    expect((await ask.look(waits)).State?.Name).toBe('pending')
    const log = async () => (await cloud.log()).includes('qemu-img: it did not finish in time')
    await eventually('its reason is told', log, DEADLINE_MS)
    await programs.goOn('qemu-img')
    await ask.untilState(waits, 'running')
    await wellAgain()
    await ask.terminate(waits)
  }, 180_000)

  it('the shim of one container', async () => {
    const stuck = await launch(sample)
    await ask.untilItAnswers(stuck)
    const container = cloud.docker.docker.getContainer(`atoll-${stuck}`)
    const { Id } = await container.inspect()
    const shim = await processesLike((line) => /containerd-shim/.test(line) && line.includes(Id))
    stop(shim, 'SIGSTOP')
    try {
      await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [stuck] }))
      const isHeld = () =>
        within(1_000, 'inspect', container.inspect()).then(
          () => false,
          () => true,
        )
      await eventually('the engine holds it while it stops it', isHeld, DEADLINE_MS)
      // A daemon need not ask for what it knows already.
      await restart()
      await named(new RegExp(`services: containers: docker has not reported the state of ${stuck}`))
      for (let n = 0; n < 3; n += 1) await othersStillWork(sample)
      expect((await ask.look(stuck)).State?.Name).toBe('stopping')
    } finally {
      stop(shim, 'SIGCONT')
    }
    await ask.untilState(stuck, 'stopped')
    await wellAgain()
    await ask.terminate(stuck)
  }, 180_000)

  it('containerd', async () => {
    const of = join(dirname(cloud.docker.socketPath), 'exec')
    const containerd = await processesLike(
      (line) => line.startsWith('containerd ') && line.includes(of),
    )
    stop(containerd, 'SIGSTOP')
    const waits = await launch(sample)
    try {
      await named(new RegExp(`services: containers: docker has not .*${waits}`))
      await othersStillWork(tiny)
    } finally {
      stop(containerd, 'SIGCONT')
    }
    await ask.untilState(waits, 'running')
    await ask.untilItAnswers(waits)
    await wellAgain()
  }, 180_000)
})
