/**
 * Instances that are asked whether they are there, on a whole host: in the machine's own network
 * namespace and in a VPC's, behind groups that let nothing in, stopped as a whole and going on.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type InstanceId, parseId } from '../../src/model/ids.ts'
import { nicLinkName } from '../../src/model/names.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { startWholeHost, type WholeHost } from '../kit/whole-host.ts'

const DEADLINE_MS = 60_000

let whole: WholeHost
/** The first process of the container with a link. */
const pids = new Map<string, number>()

beforeAll(async () => {
  whole = await startWholeHost({
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
    }[]
  }
  const [one] = answer.InstanceStatuses
  return {
    instance: one?.InstanceStatus.Status,
    since: one?.InstanceStatus.Details[0]?.ImpairedSince,
    system: one?.SystemStatus.Status,
  }
}

function until(id: InstanceId, status: string): Promise<void> {
  const is = async () => (await checkOf(id)).instance === status
  return eventually(`${id} is ${status}`, is, DEADLINE_MS)
}

test(
  'a container that answers nobody has passed, has failed while it is stopped, and passes again',
  async () => {
    const registered = await whole.act('RegisterImage', {
      ...{ Name: 'one', ImageLocation: 'docker://atoll-sample:static' },
    })
    const launched: InstanceId[] = []
    const places = await subnets()
    expect(new Set(places.map(({ vpc }) => vpc)).size).toBe(2)
    for (const { subnet, vpc } of places) {
      const { Instances } = (await whole.act('RunInstances', {
        ...{ ImageId: registered['ImageId'], InstanceType: 'at1.micro', MinCount: 1, MaxCount: 1 },
        ...{ SubnetId: subnet, SecurityGroupIds: [await closedGroup(vpc)] },
      })) as { Instances: { InstanceId: string }[] }
      const id = parseId('i', Instances[0]?.InstanceId ?? '')
      if (id !== undefined) launched.push(id)
    }
    expect(launched).toHaveLength(places.length)
    for (const id of launched) await until(id, 'ok')
    for (const id of launched) {
      const [nic] = await whole.store.read((tx) => tx.nics({ instances: [id] }))
      const pid = nic === undefined ? undefined : pids.get(nicLinkName(nic.id))
      if (pid === undefined) throw new Error(`${id} was plugged into no process`)
      const beganMs = Date.now()
      process.kill(pid, 'SIGSTOP')
      try {
        await until(id, 'impaired')
        const { since, system } = await checkOf(id)
        expect(system).toBe('ok')
        expect(since?.getTime()).toBeGreaterThan(beganMs)
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      await until(id, 'ok')
      await whole.act('TerminateInstances', { InstanceIds: [id] })
    }
    const left = async () => (await whole.leftovers()).length === 0
    await eventually('nothing is left', left, DEADLINE_MS)
  },
  6 * DEADLINE_MS,
)
