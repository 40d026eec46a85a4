/** Network ACLs: what EC2 does, and what it refuses by which code. */
import { expect, it } from 'vitest'
import { createNetworkAcl } from '../../../../src/api/actions/create-network-acl.ts'
import {
  createNetworkAclEntry,
  deleteNetworkAclEntry,
  replaceNetworkAclEntry,
} from '../../../../src/api/actions/create-network-acl-entry.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteNetworkAcl } from '../../../../src/api/actions/delete-network-acl.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeNetworkAcls } from '../../../../src/api/actions/describe-network-acls.ts'
import { replaceNetworkAclAssociation } from '../../../../src/api/actions/replace-network-acl-association.ts'
import { derivedId } from '../../../../src/model/derived-ids.ts'
import { BOB, type Cloud, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

interface Acl {
  readonly NetworkAclId: string
  readonly IsDefault: boolean
  readonly Entries: readonly object[]
  readonly Associations: readonly {
    readonly NetworkAclAssociationId: string
    readonly SubnetId: string
  }[]
}

async function make(cloud: Cloud, input: object = {}): Promise<string> {
  const made = await cloud.run(createNetworkAcl, { VpcId: cloud.vpc.id, ...input })
  return (made['NetworkAcl'] as Acl).NetworkAclId
}

async function look(cloud: Cloud, id: string): Promise<Acl | undefined> {
  const shown = await cloud.run(describeNetworkAcls, { NetworkAclIds: [id] })
  return (shown['NetworkAcls'] as Acl[])[0]
}

const allow = (RuleNumber: number, more: object = {}) => ({
  ...{ RuleNumber, Egress: false, Protocol: '-1', RuleAction: 'allow', CidrBlock: '0.0.0.0/0' },
  ...more,
})

it('a new one has no entries, and those that it gets are shown by number', async () => {
  await using cloud = await openCloud()
  const NetworkAclId = await make(cloud)
  const add = (entry: object) => cloud.run(createNetworkAclEntry, { NetworkAclId, ...entry })
  const end = { RuleNumber: 32_767, RuleAction: 'deny', Protocol: '-1', CidrBlock: '0.0.0.0/0' }
  expect((await look(cloud, NetworkAclId))?.Entries).toEqual([
    { ...end, Egress: true },
    { ...end, Egress: false },
  ])
  await add(allow(200, { Protocol: '6', PortRange: { From: 22, To: 23 }, CidrBlock: '10.9.9.9/8' }))
  await add(allow(100, { Protocol: 'icmp', IcmpTypeCode: { Type: 8, Code: -1 } }))
  await add(allow(300, { Protocol: '47', PortRange: { From: 1, To: 2 }, RuleAction: 'deny' }))
  await add(allow(400, { CidrBlock: undefined, Ipv6CidrBlock: '::/0' }))
  await add(allow(100, { Egress: true, PortRange: { From: 0, To: 0 } }))
  const any = { Egress: false, RuleAction: 'allow' }
  expect((await look(cloud, NetworkAclId))?.Entries).toEqual([
    { ...any, Egress: true, RuleNumber: 100, Protocol: '-1', CidrBlock: '0.0.0.0/0' },
    { ...end, Egress: true },
    {
      ...{ ...any, RuleNumber: 100, Protocol: '1', CidrBlock: '0.0.0.0/0' },
      IcmpTypeCode: { Type: 8, Code: -1 },
    },
    {
      ...{ ...any, RuleNumber: 200, Protocol: '6', CidrBlock: '10.0.0.0/8' },
      PortRange: { From: 22, To: 23 },
    },
    { ...any, RuleAction: 'deny', RuleNumber: 300, Protocol: '47', CidrBlock: '0.0.0.0/0' },
    { ...any, RuleNumber: 400, Protocol: '-1', Ipv6CidrBlock: '::/0' },
    { ...end, Egress: false },
  ])
  await cloud.run(replaceNetworkAclEntry, { NetworkAclId, ...allow(100, { RuleAction: 'deny' }) })
  await cloud.run(deleteNetworkAclEntry, { NetworkAclId, RuleNumber: 200, Egress: false })
  const numbers = (await look(cloud, NetworkAclId))?.Entries as { RuleNumber: number }[]
  expect(numbers.map((one) => one.RuleNumber)).toEqual([100, 32_767, 100, 300, 400, 32_767])
  expect(numbers[2]).toMatchObject({ RuleAction: 'deny', Protocol: '-1' })
})

it('refuses entries that EC2 would refuse', async () => {
  await using cloud = await openCloud()
  const NetworkAclId = await make(cloud)
  await cloud.run(createNetworkAclEntry, { NetworkAclId, ...allow(100) })
  const refusal = (entry: object) =>
    cloud.refusal(createNetworkAclEntry, { NetworkAclId, ...entry })
  expect(await refusal(allow(100))).toBe('NetworkAclEntryAlreadyExists')
  for (const number of [0, -1, 32_767, 1.5])
    expect(await refusal(allow(number))).toBe('InvalidParameterValue')
  expect(await refusal(allow(1, { Protocol: 'x' }))).toBe('InvalidParameterValue')
  expect(await refusal(allow(1, { Protocol: '6' }))).toBe('MissingParameter')
  expect(await refusal(allow(1, { Protocol: '1' }))).toBe('MissingParameter')
  expect(await refusal(allow(1, { Protocol: '6', PortRange: { From: 9, To: 2 } }))).toBe(
    'InvalidParameterValue',
  )
  expect(await refusal(allow(1, { CidrBlock: '10.0.0.0/33' }))).toBe('InvalidParameterValue')
  expect(await refusal(allow(1, { CidrBlock: undefined }))).toBe('MissingParameter')
  expect(await refusal(allow(1, { Ipv6CidrBlock: '::/0' }))).toBe('InvalidParameterCombination')
  expect(await refusal(allow(1, { RuleAction: 'maybe' }))).toBe('InvalidParameterValue')
  const none = { NetworkAclId, ...allow(7) }
  expect(await cloud.refusal(replaceNetworkAclEntry, none)).toBe('InvalidNetworkAclEntry.NotFound')
  expect(
    await cloud.refusal(deleteNetworkAclEntry, { NetworkAclId, RuleNumber: 7, Egress: true }),
  ).toBe('InvalidNetworkAclEntry.NotFound')
  expect(await cloud.refusal(createNetworkAclEntry, none, BOB)).toBe('InvalidNetworkAclID.NotFound')
})

it('a subnet has one ACL, at first the default one of its VPC', async () => {
  await using cloud = await openCloud()
  const byDefault = derivedId('acl', cloud.vpc.id)
  const NetworkAclId = await make(cloud)
  const [first] = (await look(cloud, byDefault))?.Associations ?? []
  expect(first?.SubnetId).toBe(cloud.subnet.id)
  const replace = (AssociationId: unknown, to: string) =>
    cloud.run(replaceNetworkAclAssociation, { AssociationId, NetworkAclId: to })
  const { NewAssociationId } = await replace(first?.NetworkAclAssociationId, NetworkAclId)
  expect((await look(cloud, byDefault))?.Associations).toEqual([])
  expect((await look(cloud, NetworkAclId))?.Associations).toMatchObject([
    { NetworkAclAssociationId: NewAssociationId, SubnetId: cloud.subnet.id },
  ])
  const again = { AssociationId: first?.NetworkAclAssociationId, NetworkAclId }
  expect(await cloud.refusal(replaceNetworkAclAssociation, again)).toBe(
    'InvalidAssociationID.NotFound',
  )
  expect(await cloud.refusal(deleteNetworkAcl, { NetworkAclId })).toBe('DependencyViolation')
  const back = await replace(NewAssociationId, byDefault)
  expect(back['NewAssociationId']).not.toBe(first?.NetworkAclAssociationId)
  await cloud.run(deleteNetworkAcl, { NetworkAclId })
  expect(await cloud.refusal(deleteNetworkAcl, { NetworkAclId })).toBe(
    'InvalidNetworkAclID.NotFound',
  )
  expect(await cloud.refusal(deleteNetworkAcl, { NetworkAclId: byDefault })).toBe(
    'InvalidParameterValue',
  )
})

it('belongs to one VPC, which is kept with it', async () => {
  const quotas = { ...LIMITS.quotas, networkAclsPerVpc: 2, entriesPerNetworkAcl: 1 }
  await using cloud = await openCloud({ settings: { quotas } })
  const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.7.0.0/16' })
  const { VpcId } = Vpc as { VpcId: string }
  const NetworkAclId = await make(cloud, { VpcId, ClientToken: 'once' })
  expect(await make(cloud, { VpcId, ClientToken: 'once' })).toBe(NetworkAclId)
  expect(await cloud.refusal(createNetworkAcl, { VpcId })).toBe('NetworkAclLimitExceeded')
  const [first] = (await look(cloud, derivedId('acl', cloud.vpc.id)))?.Associations ?? []
  const AssociationId = first?.NetworkAclAssociationId
  expect(await cloud.refusal(replaceNetworkAclAssociation, { AssociationId, NetworkAclId })).toBe(
    'InvalidParameterValue',
  )
  await cloud.run(createNetworkAclEntry, { NetworkAclId, ...allow(1) })
  expect(await cloud.refusal(createNetworkAclEntry, { NetworkAclId, ...allow(2) })).toBe(
    'NetworkAclEntryLimitExceeded',
  )
  await cloud.run(createNetworkAclEntry, { NetworkAclId, ...allow(2, { Egress: true }) })
  expect(await cloud.refusal(deleteVpc, { VpcId })).toBe('DependencyViolation')
  await cloud.run(deleteNetworkAcl, { NetworkAclId })
  await cloud.run(deleteVpc, { VpcId })
})
