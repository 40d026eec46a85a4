/**
 * Images of instances, on one real host: the daemon, QEMU under emulation, a Docker Engine and
 * unmodified clients. An instance that is launched from an image has the image's content on its
 * disk.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateImageCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  type Image,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { machineName } from '../../src/model/names.ts'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { insideMachine } from '../kit/machines.ts'

/** An emulated guest on a busy machine. */
const DEADLINE_MS = 120_000
const TEST_MS = 4 * DEADLINE_MS

describe.skipIf(!canRunMachines())('an image of an instance', { timeout: TEST_MS }, () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let tiny: string
  let machine: string

  async function run(image: string): Promise<string> {
    const [id = ''] = await ask.launch(image)
    return id
  }

  async function up(image: string): Promise<string> {
    const id = await run(image)
    await ask.untilState(id, 'running')
    await ask.untilItAnswers(id)
    return id
  }

  function inside(id: string, command: string): Promise<string> {
    return insideMachine(cloud, id, command)
  }

  async function capture(id: string, name: string, noReboot: boolean): Promise<string> {
    const { ImageId = '' } = await cloud.ec2.send(
      new CreateImageCommand({ InstanceId: id, Name: name, NoReboot: noReboot }),
    )
    return ImageId
  }

  async function imageOf(id: string): Promise<Image> {
    const { Images: [image] = [] } = await cloud.ec2.send(
      new DescribeImagesCommand({ ImageIds: [id] }),
    )
    if (image === undefined) throw new Error(`${id} is not listed`)
    return image
  }

  async function untilAvailable(id: string): Promise<void> {
    let image: Image | undefined
    const ended = async () => {
      image = await imageOf(id)
      return image.State !== 'pending'
    }
    await eventually(`${id} is made`, ended, DEADLINE_MS)
    expect(image).toMatchObject({ State: 'available' })
  }

  async function end(...ids: readonly string[]): Promise<void> {
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [...ids] }))
    for (const id of ids) await ask.untilState(id, 'terminated')
  }

  /** What is kept on the host, by name. */
  async function kept(): Promise<readonly string[]> {
    return readdir(join(cloud.dir, 'state/created-images')).catch(() => [])
  }

  async function processOf(id: string): Promise<string | undefined> {
    const name = machineName(join(cloud.dir, 'state/machines', id))
    const found = await execute('pgrep', ['-f', '-x', `.*${name}.*`])
    return found.stdout.trim().split('\n').at(0)
  }

  beforeAll(async () => {
    cloud = await createCloud('create-image', 'qemu: {accel: tcg, stopSeconds: 60}\n')
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    tiny = await ask.register('tiny', location)
    machine = await up(tiny)
  }, TEST_MS)
  afterAll(async () => {
    try {
      if (machine !== undefined) await end(machine)
    } finally {
      await cloud?.destroy()
    }
  })

  it('that runs and goes on running holds what was written out until then', async () => {
    await inside(machine, 'echo first > /data/kept; sync')
    const before = await processOf(machine)
    const image = await capture(machine, 'running', true)
    expect(await imageOf(image)).toMatchObject({
      State: 'pending',
      SourceInstanceId: machine,
      ImageLocation: `atoll://create-image/machine/${image}`,
    })
    await untilAvailable(image)
    // Nothing in the guest listens: nobody waits for an agent's answer.
    expect(await cloud.log()).toContain('no guest agent listens')
    expect(await processOf(machine)).toBe(before)
    await inside(machine, 'echo later > /data/kept; sync')
    const copy = await up(image)
    expect(await inside(copy, 'cat /data/kept')).toContain('first')
    // Nobody sees it any more, and the instance goes on over a stop and a start.
    await cloud.ec2.send(new DeregisterImageCommand({ ImageId: image }))
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [copy] }))
    await ask.untilState(copy, 'stopped')
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [copy] }))
    await ask.untilState(copy, 'running')
    await ask.untilItAnswers(copy)
    expect(await inside(copy, 'cat /data/kept')).toContain('first')
    expect(await kept()).toEqual([image])
    await end(copy)
  })

  it('that may be rebooted for it is, and comes up again by itself', async () => {
    await inside(machine, 'echo unwritten > /data/kept')
    const before = await processOf(machine)
    const image = await capture(machine, 'rebooted', false)
    await untilAvailable(image)
    const isRestarted = async () => ![before, undefined, ''].includes(await processOf(machine))
    await eventually('it was restarted', isRestarted, DEADLINE_MS)
    await ask.untilState(machine, 'running')
    await ask.untilItAnswers(machine)
    expect(await inside(machine, 'cat /data/kept')).toContain('unwritten')
    const copy = await up(image)
    expect(await inside(copy, 'cat /data/kept')).toContain('unwritten')
    await end(copy)
  })

  it('that is stopped is copied whole, and the copy can be copied', async () => {
    await inside(machine, 'echo generation-1 > /data/kept')
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [machine] }))
    await ask.untilState(machine, 'stopped')
    const image = await capture(machine, 'stopped', false)
    // It waits until its disk is copied.
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [machine] }))
    await untilAvailable(image)
    await ask.untilState(machine, 'running')
    const copy = await up(image)
    expect(await inside(copy, 'cat /data/kept; echo generation-2 >> /data/kept')).toContain(
      'generation-1',
    )
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [copy] }))
    await ask.untilState(copy, 'stopped')
    const second = await capture(copy, 'second', false)
    await untilAvailable(second)
    await end(copy)
    const grandchild = await up(second)
    const found = await inside(grandchild, 'cat /data/kept')
    expect(found).toContain('generation-1')
    expect(found).toContain('generation-2')
    await end(grandchild)
    await ask.untilItAnswers(machine)
  })

  it('is made in the end, and once, whenever the daemon is killed', async () => {
    await inside(machine, 'echo survives > /data/kept; sync')
    for (const noReboot of [true, false]) {
      const image = await capture(machine, `killed-${noReboot}`, noReboot)
      const begun = async () => (await kept()).some((name) => name.startsWith(image))
      await eventually('it is being made', begun, DEADLINE_MS)
      await cloud.stop('SIGKILL')
      await cloud.start()
      await untilAvailable(image)
      await ask.untilItAnswers(machine)
      expect((await kept()).filter((name) => name.startsWith(image))).toEqual([image])
      const copy = await up(image)
      expect(await inside(copy, 'cat /data/kept')).toContain('survives')
      await end(copy)
    }
    expect(await readdir(join(cloud.dir, 'state/machines', machine, 'handed'))).toEqual([])
  })

  it('that is a container runs the same program on what was written', async () => {
    const container = await run(await ask.register('sample', 'docker://atoll-sample:latest'))
    await ask.untilState(container, 'running')
    await cloud.inside(container, ['sh', '-c', 'echo written > /kept'])
    for (const noReboot of [true, false]) {
      const image = await capture(container, `container-${noReboot}`, noReboot)
      await untilAvailable(image)
      const copy = await run(image)
      await ask.untilState(copy, 'running')
      await ask.untilItAnswers(copy)
      expect((await cloud.inside(copy, ['cat', '/kept'])).stdout).toContain('written')
      await end(copy)
      await cloud.ec2.send(new DeregisterImageCommand({ ImageId: image }))
      const gone = async () =>
        !(await cloud.docker.docker.listImages())
          .flatMap(({ RepoTags }) => RepoTags ?? [])
          .includes(`atoll-image:${image}`)
      await eventually('it is removed', gone, DEADLINE_MS)
    }
    await end(container)
  })

  it('is removed once it is deregistered and nobody is made from it', async () => {
    const { Images = [] } = await cloud.ec2.send(new DescribeImagesCommand({}))
    for (const { ImageId, SourceInstanceId } of Images)
      if (SourceInstanceId !== undefined)
        await cloud.ec2.send(new DeregisterImageCommand({ ImageId }))
    await eventually('nothing is kept', async () => (await kept()).length === 0, DEADLINE_MS)
  })
})
