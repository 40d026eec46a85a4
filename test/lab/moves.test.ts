/**
 * Instances move between whole hosts: a container and a virtual machine keep their disks, ids and
 * addresses, a machine that moves while it runs also its memory and connections; either daemon is
 * killed at any moment; a host is evacuated.
 */
import {
  type _InstanceType,
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeInstancesCommand,
  type EC2Client,
  type Instance,
  RunInstancesCommand,
  type RunInstancesCommandInput,
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
import { serialShell } from '../../tools/kit/serial-shell.ts'
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
async function launchOn(
  host: string,
  ImageId = image,
  more: Pick<RunInstancesCommandInput, 'InstanceType'> = {},
): Promise<string> {
  const others = lab.hosts.filter(({ name }) => name !== host)
  for (const { name } of others) await atoll('h1', 'drain', name)
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ...{ ImageId, ...more },
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
  readonly live?: true
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

/** How a machine runs that moves, seen from a container on the third host. */
describe.skipIf(!canRunMachines())('a running virtual machine', { timeout: UP_MS }, () => {
  const MARK = 'kept-in-memory'
  /** 256 MiB. */
  const SMALL = 'at1.small' as _InstanceType
  /** On a machine that runs three whole hosts on two cores. */
  const GAP_MS = 10_000
  const PING_MS = 20
  let id = ''
  let server = ''

  /** A command in the machine, typed into its serial line. */
  async function inMachine(host: string, command: string): Promise<string> {
    const argv = await lab.host(host).command([])
    const pid = /--target=(\d+)/.exec(argv.join(' '))?.[1]
    return await serialShell(`/proc/${pid}/root/run/atoll/vm/${id}/serial`, command)
  }

  /** What the container has got: a number, and the time of its arrival in seconds. */
  async function received(): Promise<readonly (readonly [number, number])[]> {
    const lines = (await inside('h3', server, 'cat /seen')).trim().split('\n')
    return lines.map((line) => {
      const [count = '', time = ''] = line.split(' ')
      return [Number(count), Number(time)] as const
    })
  }

  /** How many numbers the machine has got from the container, and the last of them. */
  async function answered(host: string): Promise<readonly [number, number]> {
    const out = await inMachine(
      host,
      'cp /run/back /run/seen; n=$(wc -l </run/seen); echo got $n $(head -n $n /run/seen | tail -n 1)',
    )
    const [, lines, last] = /got (\d+) (\d+)/.exec(out) ?? []
    return [Number(lines ?? 0), Number(last ?? 0)]
  }

  /**
   * Its connection goes on in both directions, and nothing is lost. Returns the longest gap in what
   * it sends, in milliseconds.
   */
  async function untilItGoesOn(host: string): Promise<number> {
    const before = (await received()).length
    const [back] = await answered(host)
    await until('the machine is answered', PATIENCE_MS, async () => {
      const [lines, last] = await answered(host)
      expect(last).toBe(lines)
      return lines > back + 20 ? true : null
    })
    const all = await until('the connection goes on', PATIENCE_MS, async () => {
      const now = await received()
      return now.length > before + 20 ? now : null
    })
    expect(all.map(([count]) => count)).toEqual(all.map((_, at) => at + 1))
    const gaps = all.slice(1).map(([, time], at) => time - (all[at]?.[1] ?? time))
    return Math.round(Math.max(...gaps) * 1000)
  }

  /** Pings the machine from now on. The function ends that, and returns the longest gap in ms. */
  async function ping(): Promise<() => Promise<number>> {
    const { PrivateIpAddress: to = '' } = await look(id)
    const h3 = lab.host('h3')
    const seen = `/tmp/pings-${id}`
    const pid = `$(docker inspect -f '{{.State.Pid}}' atoll-${server})`
    const run = `nsenter --net=/proc/${pid}/ns/net ping -D -n -i ${PING_MS / 1000} ${to}`
    await h3.must(['sh', '-c', `${run} >${seen} 2>&1 & echo $! >${seen}.pid`])
    return async () => {
      const text = await h3.must(['sh', '-c', `kill $(cat ${seen}.pid); cat ${seen}`])
      await h3.must(['rm', '-f', seen, `${seen}.pid`])
      const times = [...text.matchAll(/^\[([0-9.]+)\] \d+ bytes from/gm)].map(([, at]) =>
        Number(at),
      )
      expect(times.length).toBeGreaterThan(20)
      return Math.round(Math.max(...times.slice(1).map((at, n) => at - (times[n] ?? at))) * 1000)
    }
  }

  async function connect(): Promise<void> {
    const { PrivateIpAddress: to = '' } = await look(server)
    const note = 'while read n; do read t rest </proc/uptime; echo $n $t; done'
    // It ends where its input does.
    const count = 'i=0; while :; do i=$((i+1)); echo $i; usleep 20000; done'
    await inside(
      'h3',
      server,
      `: >/seen; ((${count}) | nc -l -p 5000 | ${note} >/seen) >/dev/null 2>&1 &`,
    )
    await inMachine('h1', `((${count}) | nc ${to} 5000 >/run/back &)`)
    await untilItGoesOn('h1')
  }

  beforeAll(async () => {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const machine = await machineImage(listClient(clients, PATIENCE_MS), lab.hosts)
    server = await launchOn('h3')
    id = await launchOn('h1', machine, { InstanceType: SMALL })
    await until('its shell answers', PATIENCE_MS, async () =>
      (await inMachine('h1', 'ip -4 address show dev eth0')).includes('inet ') ? true : null,
    )
    await inMachine('h1', `echo ${MARK} >/run/mark`)
    await connect()
  }, UP_MS)

  it('keeps its memory and its connection when it moves', async () => {
    const pinged = await ping()
    await atoll('h3', 'move', id, '--to', 'h2', '--live')
    const done = await untilMoved(id)
    expect(done).toMatchObject({ from: 'h1', to: 'h2', live: true })
    const gap = await untilItGoesOn('h2')
    const { downtimeMs } = (await move(id)) ?? done
    const figures = `${gap} ms in its connection, ${await pinged()} ms in pings, ${downtimeMs} ms by its hosts`
    process.stdout.write(`longest gaps: ${figures}\n`)
    for (const host of lab.hosts)
      for (const line of (await host.service('atolld').log()).split('\n'))
        if (/an instance (was sent|that moved here goes on)/.test(line))
          process.stdout.write(`${host.name}: ${line}\n`)
    expect(gap).toBeLessThan(GAP_MS)
    expect(downtimeMs).toBeGreaterThan(0)
    expect(downtimeMs).toBeLessThan(GAP_MS)
    expect((await look(id)).State?.Name).toBe('running')
    expect(await inMachine('h2', 'cat /run/mark')).toContain(MARK)
    await untilOnlyOn(id, 'h2')
    // And back.
    await atoll('h3', 'move', id, '--to', 'h1', '--live')
    await untilMoved(id)
    expect(await untilItGoesOn('h1')).toBeLessThan(GAP_MS)
    expect(await inMachine('h1', 'cat /run/mark')).toContain(MARK)
    await untilOnlyOn(id, 'h1')
  })

  it.each(['h1', 'h2'])('runs on one host when the daemon of %s is killed', async (killed) => {
    await atoll('h3', 'move', id, '--to', 'h2', '--live')
    await until('it is passed on', PATIENCE_MS, async () => {
      const { message = '', state = '' } = (await move(id)) ?? {}
      return state !== 'copying' || /^(disk|memory)/.test(message) ? true : null
    })
    await lab.host(killed).service('atolld').crash()
    const ended = await until('the move has ended', PATIENCE_MS, async () => {
      const found = await move(id)
      return found?.state === 'done' || found?.state === 'failed' ? found : null
    })
    const host = ended.state === 'done' ? 'h2' : 'h1'
    await untilOnlyOn(id, host)
    await untilItGoesOn(host)
    expect(await inMachine(host, 'cat /run/mark')).toContain(MARK)
    if (host === 'h1') return
    await atoll('h3', 'move', id, '--to', 'h1', '--live')
    await untilMoved(id)
    await untilOnlyOn(id, 'h1')
  })

  it('refuses what cannot move while it runs', async () => {
    const { exitCode, stderr } = await lab
      .host('h1')
      .exec(['atoll', 'move', server, '--to', 'h1', '--live'], { timeoutMs: PATIENCE_MS })
    expect(exitCode).not.toBe(0)
    expect(stderr).toMatch(/its driver \(docker\) cannot do that/)
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
