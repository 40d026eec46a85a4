/**
 * Instances that are asked whether they are there, on a whole host: in the machine's own network
 * namespace and in a VPC's, behind groups that let nothing in, stopped as a whole and going on, or
 * rebooted by their host.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type InstanceId, parseId } from '../../src/model/ids.ts'
import { nicLinkName } from '../../src/model/names.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { startWholeHost, type WholeHost } from '../kit/whole-host.ts'

const DEADLINE_MS = 60_000
const REBOOT_SECONDS = 10

let whole: WholeHost
/** The first process of the container with a link. */
const pids = new Map<string, number>()

beforeAll(async () => {
  whole = await startWholeHost({
    rebootHungAfterSeconds: REBOOT_SECONDS,
    host: (host) => ({
      ...host,
      plugNic(spec, pid, ...rest) {
        pids.set(spec.hostLink, pid)
        return host.plugNic(spec, pid, ...rest)
      },
    }),
  })
}, DEADLINE_MS)
afterAll(() => whole?.close(), DEADLINE_MS)

/** Makes a group of a VPC that lets nothing in and out. */
async function closedGroup(vpc: string): Promise<string> {
  const asked = { GroupName: 'closed', Description: 'nothing', VpcId: vpc }
  const made = await whole.act('CreateSecurityGroup', asked)
  const GroupId = String(made['GroupId'])
  const IpPermissions = [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }]
  await whole.act('RevokeSecurityGroupEgress', { GroupId, IpPermissions })
  return GroupId
}

/** The default VPC, and one with a namespace of its own. */
async function subnets(): Promise<readonly { readonly subnet: string; readonly vpc: string }[]> {
  const { Vpc } = (await whole.act('CreateVpc', { CidrBlock: '10.9.0.0/16' })) as {
    Vpc: { VpcId: string }
  }
  await whole.act('CreateSubnet', { VpcId: Vpc.VpcId, CidrBlock: '10.9.0.0/24' })
  const { Subnets } = (await whole.act('DescribeSubnets', {})) as {
    Subnets: { SubnetId: string; VpcId: string; DefaultForAz: boolean }[]
  }
  return Subnets.filter(({ DefaultForAz, VpcId }) => DefaultForAz || VpcId === Vpc.VpcId).map(
    ({ SubnetId: subnet, VpcId: vpc }) => ({ subnet, vpc }),
  )
}

async function checkOf(id: InstanceId) {
  const answer = (await whole.act('DescribeInstanceStatus', { InstanceIds: [id] })) as {
    InstanceStatuses: {
      InstanceStatus: { Status: string; Details: { Status: string; ImpairedSince?: Date }[] }
      SystemStatus: { Status: string }
      Events?: { Code: string }[]
    }[]
  }
  const [one] = answer.InstanceStatuses
  return {
    instance: one?.InstanceStatus.Status,
    since: one?.InstanceStatus.Details[0]?.ImpairedSince,
    system: one?.SystemStatus.Status,
    events: one?.Events?.map(({ Code }) => Code) ?? [],
  }
}

function until(id: InstanceId, status: string): Promise<void> {
  const is = async () => (await checkOf(id)).instance === status
  return eventually(`${id} is ${status}`, is, DEADLINE_MS)
}

interface Running {
  readonly id: InstanceId
  /** Of its first process. */
  readonly pid: number
}

/** Launches one in each of the subnets, which run and answer. */
async function launchAll(): Promise<readonly [Running, Running]> {
  const registered = await whole.act('RegisterImage', {
    ...{ Name: 'one', ImageLocation: 'docker://atoll-sample:static' },
  })
  const launched: InstanceId[] = []
  for (const { subnet, vpc } of await subnets()) {
    const { Instances } = (await whole.act('RunInstances', {
      ...{ ImageId: registered['ImageId'], InstanceType: 'at1.micro', MinCount: 1, MaxCount: 1 },
      ...{ SubnetId: subnet, SecurityGroupIds: [await closedGroup(vpc)] },
    })) as { Instances: { InstanceId: string }[] }
    const id = parseId('i', Instances[0]?.InstanceId ?? '')
    if (id !== undefined) launched.push(id)
  }
  for (const id of launched) await until(id, 'ok')
  const [one, other] = await Promise.all(launched.map(running))
  if (one === undefined || other === undefined) throw new Error('they were not launched')
  return [one, other]
}

async function running(id: InstanceId): Promise<Running> {
  const [nic] = await whole.store.read((tx) => tx.nics({ instances: [id] }))
  const pid = nic === undefined ? undefined : pids.get(nicLinkName(nic.id))
  if (pid === undefined) throw new Error(`${id} was plugged into no process`)
  return { id, pid }
}

/** Stops it as a whole, until it is found. */
async function hang({ id, pid }: Running): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await until(id, 'impaired')
}

test(
  'a container that answers nobody has passed, has failed while it is stopped, and is rebooted if it is to recover',
  async () => {
    const [kept, recovering] = await launchAll()
    const beganMs = Date.now()
    await hang(kept)
    const { since, system } = await checkOf(kept.id)
    expect(system).toBe('ok')
    expect(since?.getTime()).toBeGreaterThan(beganMs)
    process.kill(kept.pid, 'SIGCONT')
    await until(kept.id, 'ok')

    await whole.store.change((tx) => tx.wishRecovery(recovering.id, 'recover'))
    await hang(recovering)
    const isAnnounced = async () =>
      (await checkOf(recovering.id)).events.includes('instance-reboot')
    await eventually('a reboot is announced', isAnnounced, DEADLINE_MS)
    const announced = await whole.instance(recovering.id)
    expect(announced?.bootCount).toBe(1)
    // As if the minute were over.
    const check = announced?.check
    if (check !== undefined)
      await whole.store.change((tx) =>
        tx.updateInstance(recovering.id, { check: { ...check, rebootAt: check.since } }),
      )
    const isRebooted = async () => (await whole.instance(recovering.id))?.bootCount === 2
    await eventually('it is rebooted', isRebooted, DEADLINE_MS)
    await until(recovering.id, 'ok')
    expect((await running(recovering.id)).pid).not.toBe(recovering.pid)
    expect(await whole.instance(recovering.id)).toMatchObject({ bootCount: 2, bootSeen: 2 })
    expect((await whole.instance(kept.id))?.bootCount).toBe(1)

    const InstanceIds = [kept.id, recovering.id]
    await whole.act('TerminateInstances', { InstanceIds })
    const left = async () => (await whole.leftovers()).length === 0
    await eventually('nothing is left', left, DEADLINE_MS)
  },
  6 * DEADLINE_MS,
)
