/**
 * A container with the tag `atoll:recover` on three whole hosts with `fence.enabled`: its host
 * loses its power, another one its network, and a third one `fence.enabled`. Each time it answers
 * again from another host, with the same address, and there are never two of it.
 */
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AuthorizeSecurityGroupIngressCommand,
  DescribeInstancesCommand,
  type EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clientOf, labCredentials, listClient, sampleImage } from '../../tools/drills/api.ts'
import { containersOf } from '../../tools/drills/host-state.ts'
import { answersPing } from '../../tools/drills/sockets.ts'
import { createLab, destroyLab, type Lab } from '../../tools/lab/lab.ts'
import { untilReady } from '../../tools/lab/ready.ts'
import { until } from '../../tools/lab/run.ts'

const NAME = 'recover'
const UP_MS = 400_000
const PATIENCE_MS = 120_000
const PING_MS = 200
/** Of this process, which is outside. */
const OUTSIDE = '/proc/self/ns/net'

let lab: Lab
const clients = new Map<string, EC2Client>()
let leave: () => void
let id = ''
let address = ''

beforeAll(async () => {
  await destroyLab(NAME)
  lab = await createLab({ name: NAME, config: { fence: { enabled: true } } })
  await untilReady(lab)
  leave = lab.outside.enter()
  const credentials = await labCredentials(lab)
  const all = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
  for (const [index, { name }] of lab.hosts.entries()) {
    const ec2 = all[index]?.ec2
    if (ec2 !== undefined) clients.set(name, ec2)
  }
  const ImageId = await sampleImage(listClient(all, PATIENCE_MS))
  await untilAllMayRun('h1')
  const ec2 = on('h1')
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ...{ ImageId, MinCount: 1, MaxCount: 1 },
      TagSpecifications: [
        {
          ResourceType: 'instance',
          Tags: [{ Key: 'atoll:recover', Value: 'discard-disk' }],
        },
      ],
    }),
  )
  id = Instances[0]?.InstanceId ?? ''
  await until('it runs', PATIENCE_MS, async () =>
    (await stateBy('h1')) === 'running' ? true : null,
  )
  const everybody = [{ CidrIp: '0.0.0.0/0' }]
  await ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupName: 'default',
      IpPermissions: [{ IpProtocol: 'icmp', FromPort: -1, ToPort: -1, IpRanges: everybody }],
    }),
  )
  const { AllocationId, PublicIp = '' } = await ec2.send(new AllocateAddressCommand({}))
  await ec2.send(new AssociateAddressCommand({ AllocationId, InstanceId: id }))
  address = PublicIp
  await untilAnswers()
  await untilAcknowledged('h1')
}, UP_MS)
afterAll(async () => {
  leave?.()
  for (const ec2 of clients.values()) ec2.destroy()
  await destroyLab(NAME)
}, 60_000)

interface HostRow {
  readonly name: string
  readonly status: string
  readonly failoverMember: boolean
  readonly fenceLevel: string | null
}

/** The row of a lost host says what was true before. */
const mayRun = ({ status, failoverMember, fenceLevel }: HostRow) =>
  status === 'active' && failoverMember && fenceLevel === 'muted'

function on(host: string): EC2Client {
  const ec2 = clients.get(host)
  if (ec2 === undefined) throw new Error(`no client of ${host}`)
  return ec2
}

async function hostsBy(host: string): Promise<readonly HostRow[]> {
  const said = await lab.host(host).exec(['atoll', 'hosts', '--json'], { timeoutMs: PATIENCE_MS })
  return said.exitCode === 0 ? JSON.parse(said.stdout) : []
}

/** All hosts are there, and have permission to run what others may start. */
const untilAllMayRun = (asked: string) =>
  until('all hosts are members with permission', PATIENCE_MS, async () => {
    const hosts = await hostsBy(asked)
    return hosts.length === 3 && hosts.every(mayRun) ? true : null
  })

async function stateBy(host: string): Promise<string | undefined> {
  const { Reservations = [] } = await on(host).send(
    new DescribeInstancesCommand({ InstanceIds: [id] }),
  )
  return Reservations[0]?.Instances?.[0]?.State?.Name
}

/** The hosts on which a container of it runs. */
async function runsOn(): Promise<readonly string[]> {
  const found: string[] = []
  for (const host of lab.hosts) {
    if (!(await host.isOn())) continue
    const containers = await containersOf(lab, host.name).catch(() => [])
    if (containers.some((one) => one.instance === id && one.running)) found.push(host.name)
  }
  return found
}

const untilAnswers = () =>
  until('it answers', PATIENCE_MS, async () =>
    (await answersPing(OUTSIDE, address, PING_MS)) ? true : null,
  )

/** Its host has said that others may start it. */
const untilAcknowledged = (host: string) =>
  until('it may be taken over', PATIENCE_MS, async () => {
    const sql = `SELECT recoverAcknowledged FROM atoll.instances WHERE id = '${id}'`
    const said = await lab.host(host).exec(['mariadb', '-N', '-e', sql])
    return said.stdout.trim() === 'recover' ? true : null
  })

/** Waits until it runs on another host than `lost`, and never on two. */
async function untilElsewhere(lost: string): Promise<number> {
  const began = performance.now()
  await until(`it runs elsewhere than on ${lost}`, PATIENCE_MS, async () => {
    const hosts = await runsOn()
    expect(hosts.length, hosts.join()).toBeLessThan(2)
    return hosts.some((host) => host !== lost) ? true : null
  })
  await untilAnswers()
  return performance.now() - began
}

const another = (host: string) => lab.hosts.find(({ name }) => name !== host)?.name ?? ''

/** The host that runs it now, when all is well and it may be taken over. */
async function ownHost(): Promise<string> {
  const [host = '', ...others] = await runsOn()
  expect(others).toEqual([])
  await untilAllMayRun(another(host))
  await untilAcknowledged(host)
  return host
}

/** Sets `fence.enabled` in a host's configuration, which counts from its daemon's next start. */
async function setFence(host: string, isEnabled: boolean): Promise<void> {
  const change = `/^fence:/,/^[^ ]/s/enabled: .*/enabled: ${isEnabled}/`
  await lab.host(host).must(['sed', '-i', change, '/etc/atoll/atoll.yaml'])
  const text = await lab.host(host).must(['cat', '/etc/atoll/atoll.yaml'])
  expect(text).toContain(`enabled: ${isEnabled}`)
}

it('answers from another host after its own has lost its power', { timeout: UP_MS }, async () => {
  const lost = await ownHost()
  await lab.host(lost).kill()
  const tookMs = await untilElsewhere(lost)
  process.stdout.write(`  it answers ${Math.round(tookMs)} ms after the loss of power\n`)
  expect(tookMs).toBeLessThan(60_000)
  await lab.host(lost).start()
  await untilAllMayRun(another(lost))
  const hosts = await runsOn()
  expect(hosts).toHaveLength(1)
  expect(hosts).not.toContain(lost)
})

it('answers from another host after its own was cut off, where it has ended before', {
  timeout: UP_MS,
}, async () => {
  const lost = await ownHost()
  await lab.host(lost).cut()
  const tookMs = await untilElsewhere(lost)
  process.stdout.write(`  it answers ${Math.round(tookMs)} ms after the cut\n`)
  expect(tookMs).toBeLessThan(60_000)
  await lab.host(lost).heal()
  await untilAllMayRun(another(lost))
  const hosts = await runsOn()
  expect(hosts).toHaveLength(1)
  expect(hosts).not.toContain(lost)
})

it('ends at once where fence.enabled is set back, and answers from another host', {
  timeout: UP_MS,
}, async () => {
  const lost = await ownHost()
  const daemon = lab.host(lost).service('atolld')
  await daemon.stop()
  expect(await runsOn()).toEqual([lost])
  const before = (await daemon.log()).length
  await setFence(lost, false)
  await daemon.start()
  const began = performance.now()
  await until('it has ended', PATIENCE_MS, async () =>
    (await runsOn()).includes(lost) ? null : true,
  )
  process.stdout.write(`  it ends ${Math.round(performance.now() - began)} ms after the start\n`)
  await untilElsewhere(lost)
  expect(await runsOn()).toHaveLength(1)
  // Before the daemon had done anything else.
  const lines = (await daemon.log()).slice(before).split('\n')
  const at = (what: string) => lines.findIndex((line) => line.includes(what))
  expect(at('instances that other hosts may start are stopped')).toBeGreaterThan(-1)
  expect(at('atolld is up')).toBeGreaterThan(at('instances that other hosts may start are stopped'))
})
