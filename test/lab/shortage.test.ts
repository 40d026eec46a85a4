/**
 * A host that runs out of something: space for its state directory, addresses, capacity. It says
 * so, keeps what it has, leaves nothing half made, and continues as soon as there is room.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DescribeInstancesCommand,
  type Instance,
  RegisterImageCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cloud, createCloud, execute, smallType } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
/** 16 addresses, of which EC2 keeps five. */
const NETWORK = 'network: {vpc: 172.31.0.0/16, subnet: 172.31.0.0/28}\n'
/** The disk is small: by itself the host would refuse whatever is launched on it. */
const NO_RESERVE = 'capacity: {reserveDiskMiB: 0}\n'
const ASSIGNABLE = 11
const ROOMS_KIB = [0, 4, 12, 24, 48, 96]

let cloud: Cloud
let state: string
let image: string
let first: string

beforeAll(async () => {
  cloud = await createCloud('shortage', NETWORK + NO_RESERVE)
  await cloud.stop('SIGTERM')
  state = join(cloud.dir, 'state')
  const kept = join(cloud.dir, 'kept')
  await must('mv', state, kept)
  await mkdir(state, { mode: 0o700 })
  await must('mount', '-t', 'tmpfs', '-o', 'size=24m,mode=700', 'atoll-shortage', state)
  await must('cp', '-a', `${kept}/.`, state)
  await cloud.start()
  const command = new RegisterImageCommand({
    Name: 'sample',
    ImageLocation: 'docker://atoll-sample:latest',
  })
  image = (await cloud.ec2.send(command)).ImageId ?? ''
  first = (await launch())[0] ?? ''
  await eventually('the first runs', () => runs(first), DEADLINE_MS)
})
afterAll(async () => {
  await cloud?.stop('SIGKILL')
  await cloud?.docker.kill()
  await execute('umount', [state])
  await cloud?.destroy()
})

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const ran = await execute(program, args)
  if (ran.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.stderr}`)
}

async function launch(more: Partial<RunInstancesCommandInput> = {}): Promise<readonly string[]> {
  const command = new RunInstancesCommand({
    ImageId: image,
    InstanceType: smallType,
    MinCount: 1,
    MaxCount: 1,
    ...more,
  })
  return (await cloud.ec2.send(command)).Instances?.flatMap((one) => one.InstanceId ?? []) ?? []
}

async function all(): Promise<readonly Instance[]> {
  const { Reservations = [] } = await cloud.ec2.send(new DescribeInstancesCommand({}))
  return Reservations.flatMap((one) => one.Instances ?? [])
}

async function look(id: string): Promise<Instance | undefined> {
  return (await all()).find((one) => one.InstanceId === id)
}

async function runs(id: string): Promise<boolean> {
  const instance = await look(id)
  if (instance?.State?.Name !== 'running') return false
  const ping = ['-c', '1', '-W', '1', instance.PrivateIpAddress ?? '']
  return (await execute('ping', ping)).exitCode === 0
}

/**
 * Ids of what has a link, a container or a directory, and what the records hold and have given out.
 */
async function everything(): Promise<object> {
  const links = (await cloud.netns.must(['ip', '-o', 'link'])).match(/at-h[0-9a-f]+/g) ?? []
  const containers = (await cloud.docker.docker.listContainers({ all: true })).flatMap(
    ({ Names }) => Names,
  )
  const directories = (await execute('ls', [join(state, 'instances')])).stdout
  const [host] = JSON.parse((await cloud.atoll('hosts', '--json')).stdout)
  const { usedVcpus, usedMemoryMiB } = host
  const instances = (await all()).filter((one) => one.State?.Name !== 'terminated')
  return {
    links: links.length,
    containers,
    directories,
    usedVcpus,
    usedMemoryMiB,
    instances: instances.map((one) => one.InstanceId),
  }
}

it.each([
  ['addresses', { MinCount: ASSIGNABLE + 1, MaxCount: ASSIGNABLE + 1 }, /free addresses/],
  ['capacity', { InstanceType: 't3.2xlarge', MinCount: 10, MaxCount: 10 }, /capacity/],
] as const)(
  'a launch for which there are not enough %s leaves nothing',
  async (_what, more, message) => {
    const before = await everything()
    await expect(launch(more)).rejects.toMatchObject({
      name: expect.stringMatching(/^Insufficient(FreeAddressesInSubnet|InstanceCapacity)$/),
      message: expect.stringMatching(message),
    })
    expect(await everything()).toEqual(before)
  },
)

it('the disk is full: launches are refused, what runs goes on, and nothing accepted is lost', async () => {
  const before = await everything()
  const filler = join(state, 'filler')
  const accepted: string[] = []
  const refusals: unknown[] = []
  // From no room at all to room for the records and not for all the files of an instance.
  for (const roomKiB of ROOMS_KIB) {
    await execute('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'])
    await must('truncate', '-s', `-${roomKiB}K`, filler)
    await launch().then(
      (ids) => accepted.push(...ids),
      (error: unknown) => refusals.push(error),
    )
  }
  await execute('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k'])
  await launch().catch((error: unknown) => refusals.push(error))
  console.log('on a full disk:', accepted.length, 'accepted,', refusals.length, 'refused')
  expect(refusals.length).toBeGreaterThan(0)
  for (const refusal of refusals)
    expect(refusal).toMatchObject({
      name: 'Unavailable',
      message: expect.stringContaining('disk of the database is full'),
      $metadata: { httpStatusCode: 503 },
    })
  await eventually('it runs', () => runs(first))

  await cloud.stop('SIGKILL')
  await cloud.start()
  await eventually('it runs', () => runs(first))
  const renewed = await cloud.inside(first, ['udhcpc', '-i', 'eth0', '-n', '-q', '-s', '/bin/true'])
  expect(renewed.stderr).toContain('obtained')

  await rm(filler)
  const [next = ''] = await launch()
  await eventually('the next runs', () => runs(next), DEADLINE_MS)
  await eventually('it runs', () => runs(first))
  // What was accepted runs, or says why it does not.
  const settled = async (id: string) => {
    const reason = (await look(id))?.StateReason?.Message ?? ''
    return (await runs(id)) || /ENOSPC|no space/.test(reason)
  }
  for (const id of accepted) await eventually(`${id} settles`, () => settled(id), DEADLINE_MS)
  await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [next, ...accepted] }))
  await eventually(
    'all is as before',
    async () => JSON.stringify(await everything()) === JSON.stringify(before),
    DEADLINE_MS,
  )
})

it('a host with less free disk than its reserve is full: it says why, takes nothing new, and keeps what it has', async () => {
  const roomy = await readFile(cloud.configFile, 'utf8')
  const restart = async (config: string) => {
    await cloud.stop('SIGTERM')
    await writeFile(cloud.configFile, config)
    await cloud.start()
  }
  const hosts = async () => JSON.parse((await cloud.atoll('hosts', '--json')).stdout)
  await restart(roomy.replace('reserveDiskMiB: 0', 'reserveDiskMiB: 512'))
  await eventually('it is full', async () => (await hosts())[0].status === 'full', DEADLINE_MS)
  expect((await hosts())[0].shortOf).toMatch(
    new RegExp(`${state} has \\d+ MiB free, less than the reserve of 512 MiB`),
  )
  await expect(launch()).rejects.toMatchObject({ name: 'InsufficientInstanceCapacity' })
  await eventually('it runs', () => runs(first))
  await restart(roomy)
  await eventually('it is not', async () => (await hosts())[0].status === 'active', DEADLINE_MS)
  const [next = ''] = await launch()
  await eventually('the next runs', () => runs(next), DEADLINE_MS)
})
