/** Network interfaces that clients make themselves: what is asked, shown and refused. */
import type {
  DescribeInstancesResult,
  Instance,
  NetworkInterface,
  RunInstancesRequest,
} from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { allocateAddress } from '../../../../src/api/actions/allocate-address.ts'
import { assignPrivateIpAddresses } from '../../../../src/api/actions/assign-private-ip-addresses.ts'
import { associateAddress } from '../../../../src/api/actions/associate-address.ts'
import { attachNetworkInterface } from '../../../../src/api/actions/attach-network-interface.ts'
import { createNetworkInterface } from '../../../../src/api/actions/create-network-interface.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { deleteNetworkInterface } from '../../../../src/api/actions/delete-network-interface.ts'
import { describeAddresses } from '../../../../src/api/actions/describe-addresses.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { describeNetworkInterfaces } from '../../../../src/api/actions/describe-network-interfaces.ts'
import { detachNetworkInterface } from '../../../../src/api/actions/detach-network-interface.ts'
import { modifyInstanceAttribute } from '../../../../src/api/actions/modify-instance-attribute.ts'
import { modifyNetworkInterfaceAttribute } from '../../../../src/api/actions/modify-network-interface-attribute.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { unassignPrivateIpAddresses } from '../../../../src/api/actions/unassign-private-ip-addresses.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import type { InstanceState } from '../../../../src/model/records.ts'
import { ALICE, BOB, type Cloud, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

async function launch(cloud: Cloud, more: Partial<RunInstancesRequest> = {}): Promise<Instance> {
  const order = { ImageId: cloud.image, InstanceType: 't3.small', MinCount: 1, MaxCount: 1 }
  const { Instances } = await cloud.run(runInstances, { ...order, ...more })
  const [instance] = Instances as Instance[]
  return instance ?? {}
}

async function become(cloud: Cloud, id: string | undefined, state: InstanceState): Promise<void> {
  const wanted = state === 'running' ? 'run' : 'stop'
  await cloud.store.change((tx) => tx.updateInstance(id as InstanceId, { state, wanted }))
}

async function make(cloud: Cloud, more: object = {}): Promise<NetworkInterface> {
  const asked = { SubnetId: cloud.subnet.id, ...more }
  const { NetworkInterface: made } = await cloud.run(createNetworkInterface, asked)
  return made as NetworkInterface
}

async function look(cloud: Cloud, id: string | undefined): Promise<NetworkInterface> {
  const { NetworkInterfaces } = await cloud.run(describeNetworkInterfaces, {
    NetworkInterfaceIds: [id],
  })
  return (NetworkInterfaces as NetworkInterface[])[0] ?? {}
}

/** An address of the subnet that none of these was given at random. */
function otherThan(...nics: readonly NetworkInterface[]): string {
  const taken = nics.flatMap(ipsOf)
  return ['172.31.0.40', '172.31.0.41', '172.31.0.42'].find((ip) => !taken.includes(ip)) ?? ''
}

function ipsOf({
  PrivateIpAddresses = [],
}: Pick<NetworkInterface, 'PrivateIpAddresses'>): readonly (string | undefined)[] {
  return PrivateIpAddresses.map((one) => one.PrivateIpAddress)
}

describe('a network interface', () => {
  it('gets the addresses that are named, and refuses those that cannot be', async () => {
    await using cloud = await openCloud()
    const listed = [
      { PrivateIpAddress: '172.31.0.9', Primary: true },
      { PrivateIpAddress: '172.31.0.7' },
    ]
    const nic = await make(cloud, { PrivateIpAddresses: listed })
    expect(nic).toMatchObject({ PrivateIpAddress: '172.31.0.9', Status: 'available' })
    expect(ipsOf(nic)).toEqual(['172.31.0.9', '172.31.0.7'])
    const refusal = (more: object) =>
      cloud.refusal(createNetworkInterface, { SubnetId: cloud.subnet.id, ...more })
    for (const [more, code] of [
      [{ PrivateIpAddress: '172.31.0.7' }, 'InvalidIPAddress.InUse'],
      [{ PrivateIpAddress: '172.31.0.3' }, 'InvalidParameterValue'],
      [{ PrivateIpAddress: '10.0.0.9' }, 'InvalidParameterValue'],
      [{ PrivateIpAddress: 'x' }, 'InvalidParameterValue'],
      [
        { PrivateIpAddresses: listed, PrivateIpAddress: '172.31.0.8' },
        'InvalidParameterCombination',
      ],
      [
        { PrivateIpAddresses: listed, SecondaryPrivateIpAddressCount: 1 },
        'InvalidParameterCombination',
      ],
      [
        {
          PrivateIpAddresses: [
            { PrivateIpAddress: '172.31.0.20' },
            { PrivateIpAddress: '172.31.0.20' },
          ],
        },
        'InvalidParameterValue',
      ],
      [{ SecondaryPrivateIpAddressCount: 100 }, 'PrivateIpAddressLimitExceeded'],
      [{ SubnetId: 'subnet-00000000000000000' }, 'InvalidSubnetID.NotFound'],
      [{ Groups: ['sg-00000000000000000'] }, 'InvalidGroup.NotFound'],
      [{ InterfaceType: 'efa' }, 'UnsupportedOperation'],
      [{ Ipv6AddressCount: 1 }, 'UnsupportedOperation'],
      [{ Ipv4Prefixes: [{}] }, 'UnsupportedOperation'],
    ] as const)
      expect(await refusal(more), JSON.stringify(more)).toBe(code)
    expect(await cloud.refusal(createNetworkInterface, { SubnetId: cloud.subnet.id }, BOB)).toBe(
      'InvalidSubnetID.NotFound',
    )
  })

  it('gets no named address a second time at random, nor another one of the same launch', async () => {
    for (const ip of ['172.31.0.4', '172.31.0.8', '172.31.0.14']) {
      // Eleven addresses: what is drawn for nine would be the named one, too.
      await using cloud = await openCloud({ subnet: '172.31.0.0/28' })
      const nic = await make(cloud, { PrivateIpAddress: ip, SecondaryPrivateIpAddressCount: 9 })
      expect(new Set(ipsOf(nic)).size).toBe(10)
      await using other = await openCloud({ subnet: '172.31.0.0/28' })
      const NetworkInterfaces = [
        { DeviceIndex: 0, SecondaryPrivateIpAddressCount: 3 },
        { DeviceIndex: 1, SecondaryPrivateIpAddressCount: 3 },
        { DeviceIndex: 2, PrivateIpAddress: ip, SecondaryPrivateIpAddressCount: 2 },
      ]
      const made = await launch(other, { NetworkInterfaces })
      expect(made.NetworkInterfaces?.[2]).toMatchObject({ PrivateIpAddress: ip })
      expect(new Set(made.NetworkInterfaces?.flatMap(ipsOf)).size).toBe(11)
    }
  })

  it('is counted, and is not made while an older host is there', async () => {
    await using cloud = await openCloud({
      settings: { quotas: { ...LIMITS.quotas, networkInterfaces: 2 } },
    })
    await make(cloud)
    await launch(cloud)
    const asked = { SubnetId: cloud.subnet.id }
    expect(await cloud.refusal(createNetworkInterface, asked)).toBe('NetworkInterfaceLimitExceeded')
    const order = { ImageId: cloud.image, InstanceType: 't3.small', MinCount: 1, MaxCount: 5 }
    expect(await cloud.refusal(runInstances, order)).toBe('NetworkInterfaceLimitExceeded')
    await using roomy = await openCloud({
      settings: { quotas: { ...LIMITS.quotas, networkInterfaces: 3 } },
    })
    await make(roomy)
    // As many as there is room for, as with capacity.
    const { Instances } = await roomy.run(runInstances, { ...order, ImageId: roomy.image })
    expect(Instances).toHaveLength(2)
    const [peer] = await cloud.store.read((tx) => tx.hosts())
    if (peer === undefined) throw new Error('there is no host')
    await using other = await openCloud()
    const [host] = await other.store.read((tx) => tx.hosts())
    if (host === undefined) throw new Error('there is no host')
    const older = { ...host, name: 'older' as typeof host.name, version: '0.3.9', identity: 'x' }
    await other.store.change((tx) => tx.upsertHost({ ...older, identity: 'x' }, 60_000))
    expect(await other.refusal(createNetworkInterface, { SubnetId: other.subnet.id })).toBe(
      'OperationNotPermitted',
    )
  })

  it('is attached to what runs or is stopped, in its zone and VPC, up to the limits', async () => {
    await using cloud = await openCloud()
    const instance = await launch(cloud)
    const InstanceId = instance.InstanceId
    const [first, second, wide] = [
      await make(cloud),
      await make(cloud),
      await make(cloud, { SecondaryPrivateIpAddressCount: 8 }),
    ]
    const attach = (nic: NetworkInterface, DeviceIndex: number) => ({
      NetworkInterfaceId: nic.NetworkInterfaceId,
      InstanceId,
      DeviceIndex,
    })
    expect(await cloud.refusal(attachNetworkInterface, attach(first, 1))).toBe('IncorrectState')
    for (const state of ['running', 'stopped'] as const) {
      await become(cloud, InstanceId, state)
      const { AttachmentId } = await cloud.run(attachNetworkInterface, attach(first, 2))
      const refusal = (nic: NetworkInterface, index: number) =>
        cloud.refusal(attachNetworkInterface, attach(nic, index))
      expect(await refusal(first, 1)).toBe('InvalidNetworkInterface.InUse')
      expect(await refusal(second, 2)).toBe('InvalidParameterValue')
      expect(await refusal(second, 3)).toBe('AttachmentLimitExceeded')
      expect(await refusal(wide, 1)).toBe('PrivateIpAddressLimitExceeded')
      await cloud.run(detachNetworkInterface, { AttachmentId })
      const shown = await look(cloud, first.NetworkInterfaceId)
      if (state === 'stopped') expect(shown.Status).toBe('available')
      else {
        expect(shown).toMatchObject({ Status: 'in-use', Attachment: { Status: 'detaching' } })
        await cloud.run(detachNetworkInterface, { AttachmentId, Force: true })
      }
      expect(await cloud.refusal(detachNetworkInterface, { AttachmentId })).toBe(
        'InvalidAttachmentID.NotFound',
      )
    }
    const far = { VpcId: cloud.vpc.id, CidrBlock: '172.31.64.0/20', AvailabilityZone: 'atoll-1a' }
    const { Subnet } = await cloud.run(createSubnet, far)
    const near = await make(cloud, { SubnetId: (Subnet as { SubnetId: string }).SubnetId })
    await cloud.run(attachNetworkInterface, attach(near, 1))
    expect(await cloud.refusal(attachNetworkInterface, attach(first, 0))).toBe(
      'InvalidParameterValue',
    )
    expect(await cloud.refusal(attachNetworkInterface, attach(first, 2), BOB)).toBe(
      'InvalidNetworkInterfaceID.NotFound',
    )
  })

  it('gives addresses to others and gets them back, and floating IPs with them', async () => {
    const range = { first: ipv4('203.0.113.1'), last: ipv4('203.0.113.9') }
    const pools = [{ name: 'public', ranges: [range], zones: null }]
    await using cloud = await openCloud({ settings: { pools } })
    const [one, two] = [await make(cloud), await make(cloud)]
    const assign = (nic: NetworkInterface, more: object) =>
      cloud.run(assignPrivateIpAddresses, { NetworkInterfaceId: nic.NetworkInterfaceId, ...more })
    const ip = otherThan(one, two)
    await assign(one, { PrivateIpAddresses: [ip] })
    await assign(one, { PrivateIpAddresses: [ip] })
    const { AllocationId } = await cloud.run(allocateAddress)
    await cloud.run(associateAddress, {
      AllocationId,
      NetworkInterfaceId: one.NetworkInterfaceId,
      PrivateIpAddress: ip,
    })
    const shown = await look(cloud, one.NetworkInterfaceId)
    expect(shown.PrivateIpAddresses?.[1]).toMatchObject({ Association: { AllocationId } })
    expect(shown.Association).toBeUndefined()
    expect(
      await cloud.refusal(assignPrivateIpAddresses, {
        NetworkInterfaceId: two.NetworkInterfaceId,
        PrivateIpAddresses: [ip],
      }),
    ).toBe('InvalidIPAddress.InUse')
    await assign(two, { PrivateIpAddresses: [ip], AllowReassignment: true })
    expect(ipsOf(await look(cloud, one.NetworkInterfaceId))).not.toContain(ip)
    expect(ipsOf(await look(cloud, two.NetworkInterfaceId))).toContain(ip)
    const { Addresses } = await cloud.run(describeAddresses)
    expect((Addresses as object[])[0]).not.toHaveProperty('AssociationId')
    const unassign = (nic: NetworkInterface, ...ips: readonly (string | undefined)[]) => ({
      NetworkInterfaceId: nic.NetworkInterfaceId,
      PrivateIpAddresses: ips,
    })
    for (const asked of [unassign(one, ip), unassign(two, two.PrivateIpAddress)])
      expect(await cloud.refusal(unassignPrivateIpAddresses, asked)).toBe('InvalidParameterValue')
    expect(await cloud.refusal(unassignPrivateIpAddresses, unassign(one))).toBe('MissingParameter')
    await cloud.run(unassignPrivateIpAddresses, unassign(two, ip, ip))
    const both = { PrivateIpAddresses: [ip], SecondaryPrivateIpAddressCount: 1 }
    for (const more of [both, {}])
      expect(
        await cloud.refusal(assignPrivateIpAddresses, {
          NetworkInterfaceId: one.NetworkInterfaceId,
          ...more,
        }),
      ).toBe('InvalidParameterCombination')
    await cloud.run(deleteNetworkInterface, { NetworkInterfaceId: two.NetworkInterfaceId })
    expect(
      await cloud.refusal(deleteNetworkInterface, { NetworkInterfaceId: two.NetworkInterfaceId }),
    ).toBe('InvalidNetworkInterfaceID.NotFound')
  })

  it('is changed one attribute at a time', async () => {
    await using cloud = await openCloud()
    const { NetworkInterfaceId } = await make(cloud)
    const modify = (more: object) => ({ NetworkInterfaceId, ...more })
    await cloud.run(modifyNetworkInterfaceAttribute, modify({ SourceDestCheck: { Value: false } }))
    await cloud.run(modifyNetworkInterfaceAttribute, modify({ Description: { Value: 'router' } }))
    expect(await look(cloud, NetworkInterfaceId)).toMatchObject({
      ...{ SourceDestCheck: false, Description: 'router' },
    })
    const attachment = { AttachmentId: 'eni-attach-00000000000000000', DeleteOnTermination: true }
    for (const [more, code] of [
      [{ Attachment: attachment }, 'InvalidAttachmentID.NotFound'],
      [
        { Attachment: { ...attachment, AttachmentId: 'x' } },
        'InvalidNetworkInterfaceAttachmentId.Malformed',
      ],
      [
        { Description: { Value: 'x' }, SourceDestCheck: { Value: true } },
        'InvalidParameterCombination',
      ],
      [{ AssociatePublicIpAddress: true }, 'UnsupportedOperation'],
    ] as const)
      expect(await cloud.refusal(modifyNetworkInterfaceAttribute, modify(more))).toBe(code)
    const { InstanceId } = await launch(cloud)
    await cloud.run(modifyInstanceAttribute, { InstanceId, SourceDestCheck: { Value: false } })
    const { Reservations } = (await cloud.run(describeInstances)) as DescribeInstancesResult
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
      SourceDestCheck: false,
      NetworkInterfaces: [{ SourceDestCheck: false }],
    })
  })
})

describe('a launch', () => {
  it('makes and takes several interfaces, each as it is asked', async () => {
    await using cloud = await openCloud()
    const nic = await make(cloud)
    const ip = otherThan(nic)
    const made = await launch(cloud, {
      NetworkInterfaces: [
        {
          DeviceIndex: 1,
          NetworkInterfaceId: nic.NetworkInterfaceId,
        },
        {
          DeviceIndex: 0,
          SubnetId: cloud.subnet.id,
          PrivateIpAddress: ip,
          SecondaryPrivateIpAddressCount: 2,
          DeleteOnTermination: false,
          Description: 'first',
        },
      ],
    })
    expect(made.NetworkInterfaces).toMatchObject([
      {
        PrivateIpAddress: ip,
        Description: 'first',
        Attachment: { DeviceIndex: 0, DeleteOnTermination: false, Status: 'attached' },
      },
      {
        NetworkInterfaceId: nic.NetworkInterfaceId,
        PrivateIpAddress: nic.PrivateIpAddress,
        Attachment: { DeviceIndex: 1, DeleteOnTermination: false },
      },
    ])
    expect(made.NetworkInterfaces?.[0]?.PrivateIpAddresses).toHaveLength(3)
    expect(await look(cloud, nic.NetworkInterfaceId)).toMatchObject({
      Attachment: { InstanceId: made.InstanceId, InstanceOwnerId: ALICE },
    })
  })

  it.each([
    [[{ DeviceIndex: 1 }], 'InvalidParameterCombination'],
    [[{ DeviceIndex: 0 }, { DeviceIndex: 0 }], 'InvalidParameterValue'],
    [[{ DeviceIndex: 0 }, {}], 'InvalidParameterValue'],
    [[0, 1, 2, 3].map((DeviceIndex) => ({ DeviceIndex })), 'AttachmentLimitExceeded'],
    [
      [{ DeviceIndex: 0, AssociatePublicIpAddress: true }, { DeviceIndex: 1 }],
      'InvalidParameterCombination',
    ],
    [[{ DeviceIndex: 0, SecondaryPrivateIpAddressCount: 4 }], 'PrivateIpAddressLimitExceeded'],
    [
      [{ DeviceIndex: 0, NetworkInterfaceId: 'eni-00000000000000000' }],
      'InvalidNetworkInterfaceID.NotFound',
    ],
    [[{ DeviceIndex: 0, NetworkInterfaceId: 'x' }], 'InvalidNetworkInterfaceId.Malformed'],
  ])('with %j is refused with %s', async (NetworkInterfaces, code) => {
    await using cloud = await openCloud()
    const order = { ImageId: cloud.image, InstanceType: 't3.small', MinCount: 1, MaxCount: 1 }
    expect(await cloud.refusal(runInstances, { ...order, NetworkInterfaces })).toBe(code)
  })
})
