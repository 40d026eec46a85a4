/**
 * Instances move between whole hosts: a container and a virtual machine keep their disks, ids and
 * addresses; either daemon is killed at any moment; a host is evacuated.
 */
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeInstancesCommand,
  type EC2Client,
  type Instance,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  clientOf,
  labCredentials,
  listClient,
  machineImage,
  sampleImage,
} from '../../tools/drills/api.ts'
import { workloadsOf } from '../../tools/drills/host-state.ts'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { createLab, destroyLab, type Lab } from '../../tools/lab/lab.ts'
import { OUTSIDE_SERVER } from '../../tools/lab/layout.ts'
import { untilReady } from '../../tools/lab/ready.ts'
import { until } from '../../tools/lab/run.ts'

const NAME = 'moves'
const UP_MS = 400_000
const PATIENCE_MS = 120_000

let lab: Lab
let ec2: EC2Client
let image = ''
let leave: () => void

beforeAll(async () => {
  await destroyLab(NAME)
  lab = await createLab({ name: NAME })
  await untilReady(lab)
  leave = lab.outside.enter()
  const credentials = await labCredentials(lab)
  const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
  image = await sampleImage(listClient(clients, PATIENCE_MS))
  ec2 = clients[0]?.ec2 as EC2Client
}, UP_MS)
afterAll(async () => {
  leave?.()
  ec2?.destroy()
  await destroyLab(NAME)
}, 60_000)

async function look(id: string): Promise<Instance> {
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  return Reservations[0]?.Instances?.[0] ?? {}
}

async function untilState(id: string, state: string): Promise<void> {
  await until(`${id} is ${state}`, PATIENCE_MS, async () =>
    (await look(id)).State?.Name === state ? true : null,
  )
}

/** An instance on this host, which runs. */
async function launchOn(host: string, ImageId = image): Promise<string> {
  const others = lab.hosts.filter(({ name }) => name !== host)
  for (const { name } of others) await atoll('h1', 'drain', name)
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId,
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'mover' }] }],
    }),
  )
  for (const { name } of others) await atoll('h1', 'undrain', name)
  const id = Instances[0]?.InstanceId ?? ''
  await untilState(id, 'running')
  return id
}

/** The command on a host; a busy machine takes its time to start it. */
const atoll = (host: string, ...args: readonly string[]) =>
  lab.host(host).must(['atoll', ...args], { timeoutMs: PATIENCE_MS })

interface Report {
  readonly instance: string
  readonly from: string
  readonly to: string | null
  readonly state: string
  readonly message: string
  readonly downtimeMs: number | null
}

async function json(host: string, ...args: readonly string[]): Promise<readonly Report[]> {
  return JSON.parse(await lab.host(host).must(['atoll', ...args, '--json'], { timeoutMs: 300_000 }))
}

async function move(id: string): Promise<Report | undefined> {
  return (await json('h3', 'moves')).find(({ instance }) => instance === id)
}

async function untilMoved(id: string, state = 'done'): Promise<Report> {
  return await until(`the move of ${id} is ${state}`, PATIENCE_MS, async () => {
    const found = await move(id)
    return found?.state === state ? found : null
  })
}

/** Hosts that have anything of an instance: a container or machine, or a directory. */
async function hostsWith(id: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const host of lab.hosts) {
    const workloads = await workloadsOf(lab, host.name)
    const listed = await host.must([
      'sh',
      '-c',
      'ls /var/lib/atoll/instances /var/lib/atoll/machines 2>/dev/null || true',
    ])
    if (workloads.some(({ instance }) => instance === id) || listed.includes(id))
      found.push(host.name)
  }
  return found
}

async function untilOnlyOn(id: string, host: string): Promise<void> {
  await until(`${id} is only on ${host}`, PATIENCE_MS, async () => {
    const hosts = await hostsWith(id)
    return hosts.length === 1 && hosts[0] === host ? true : null
  })
}

const inside = (host: string, id: string, command: string) =>
  lab
    .host(host)
    .must(['docker', 'exec', `atoll-${id}`, 'sh', '-c', command], { timeoutMs: PATIENCE_MS })

describe('a container', { timeout: UP_MS }, () => {
  let id = ''

  it('keeps what it wrote, its id, its addresses and its name', async () => {
    id = await launchOn('h1')
    const before = await look(id)
    const { AllocationId, PublicIp = '' } = await ec2.send(new AllocateAddressCommand({}))
    await ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId: id }))
    await inside('h1', id, 'mkdir /kept && echo written >/kept/file && chown 1000:1000 /kept/file')
    await inside('h1', id, 'ln -s /kept/file /link; rm -rf /etc/motd /bin/vi; echo x >/etc/new')
    const listing = 'ls -lan /kept /link /etc /bin | grep -v " \\.\\.$" | sort'
    const files = await inside('h1', id, listing)
    const other = await launchOn('h3')
    await atoll('h3', 'move', id, '--to', 'h2')
    const done = await untilMoved(id)
    expect(done).toMatchObject({ from: 'h1', to: 'h2' })
    expect(done.downtimeMs).toBeGreaterThan(0)
    await untilState(id, 'running')
    await untilOnlyOn(id, 'h2')
    expect(await inside('h2', id, 'cat /link')).toBe('written\n')
    expect(await inside('h2', id, listing)).toBe(files)
    const after = await look(id)
    for (const field of ['PrivateIpAddress', 'SubnetId', 'VpcId', 'Tags', 'ImageId'] as const)
      expect(after[field]).toEqual(before[field])
    expect(after.PublicIpAddress).toBe(PublicIp)
    await until('another host reaches it', PATIENCE_MS, async () =>
      (
        await lab
          .host('h3')
          .exec([
            'docker',
            'exec',
            `atoll-${other}`,
            'ping',
            '-c1',
            '-W1',
            after.PrivateIpAddress ?? '',
          ])
      ).exitCode === 0
        ? true
        : null,
    )
    // Outside it is seen by its floating IP again.
    const url = `http://${OUTSIDE_SERVER}/cgi-bin/whoami`
    const pid = `$(docker inspect -f '{{.State.Pid}}' atoll-${id})`
    const whoami = `nsenter --net=/proc/${pid}/ns/net curl -sf -m 2 ${url}`
    await until('its floating IP is here', PATIENCE_MS, async () => {
      const said = await lab.host('h2').exec(['sh', '-c', whoami])
      return said.stdout.trim() === PublicIp ? true : null
    })
  })

  it('moves while it is stopped, and is started there', async () => {
    await ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await untilState(id, 'stopped')
    await atoll('h1', 'move', id, '--to', 'h3')
    expect((await untilMoved(id)).downtimeMs).toBeNull()
    // Also from where it was not started.
    await untilOnlyOn(id, 'h3')
    await atoll('h1', 'move', id, '--to', 'h1')
    await untilMoved(id)
    await untilOnlyOn(id, 'h1')
    await ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))
    await untilState(id, 'running')
    expect(await inside('h1', id, 'cat /link; test -e /bin/vi || echo gone')).toBe(
      'written\ngone\n',
    )
  })

  it.each(['h1', 'h2'])('goes on when the daemon of %s is killed meanwhile', async (killed) => {
    await inside('h1', id, 'head -c 100000000 /dev/urandom >/big; sha256sum /big >/sum')
    await atoll('h3', 'move', id, '--to', 'h2')
    await until('it is copied', PATIENCE_MS, async () =>
      (await move(id))?.state === 'copying' ? true : null,
    )
    await lab.host(killed).service('atolld').crash()
    await untilMoved(id)
    await untilState(id, 'running')
    await untilOnlyOn(id, 'h2')
    expect(await inside('h2', id, 'sha256sum -c /sum')).toContain('OK')
    await atoll('h3', 'move', id, '--to', 'h1')
    await untilMoved(id)
    await untilOnlyOn(id, 'h1')
    await untilState(id, 'running')
  })

  it('runs on where it was when the move is cancelled', async () => {
    await atoll('h3', 'move', id, '--to', 'h2')
    await atoll('h3', 'move', id, '--cancel')
    await untilState(id, 'running')
    await untilOnlyOn(id, 'h1')
    expect(await inside('h1', id, 'cat /link')).toBe('written\n')
  })
})

describe.skipIf(!canRunMachines())('a virtual machine', { timeout: UP_MS }, () => {
  it('keeps its disk', async () => {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const machine = await machineImage(listClient(clients, PATIENCE_MS), lab.hosts)
    const id = await launchOn('h2', machine)
    const disk = `/var/lib/atoll/machines/${id}/disk.qcow2`
    await atoll('h1', 'move', id, '--to', 'h1')
    await untilMoved(id)
    await untilState(id, 'running')
    await untilOnlyOn(id, 'h1')
    await lab.host('h1').must(['test', '-s', disk])
    const { PrivateIpAddress = '' } = await look(id)
    await until('it answers', PATIENCE_MS, async () =>
      (await lab.host('h1').exec(['ping', '-c1', '-W1', PrivateIpAddress])).exitCode === 0
        ? true
        : null,
    )
  })
})

describe('a host', { timeout: UP_MS }, () => {
  it('is evacuated, as the dry run says', async () => {
    const there = (await json('h2', 'evacuate', 'h1', '--dry-run')).filter(
      ({ state }) => state === 'waiting',
    )
    expect(there.length).toBeGreaterThan(1)
    const done = await json('h2', 'evacuate', 'h1')
    expect(done.map(({ state }) => state)).toEqual(done.map(() => 'done'))
    for (const { instance, to } of done) await untilOnlyOn(instance, to ?? '')
    expect(await workloadsOf(lab, 'h1')).toEqual([])
    // Again: nothing is left to do.
    expect(await json('h2', 'evacuate', 'h1')).toHaveLength(done.length)
    await atoll('h2', 'undrain', 'h1')
    const moves = await json('h2', 'rebalance', '--dry-run')
    expect(moves.every(({ to }) => to === 'h1')).toBe(true)
  })
})
