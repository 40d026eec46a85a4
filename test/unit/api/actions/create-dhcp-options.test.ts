import { expect, it } from 'vitest'
import { associateDhcpOptions } from '../../../../src/api/actions/associate-dhcp-options.ts'
import { createDhcpOptions } from '../../../../src/api/actions/create-dhcp-options.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteDhcpOptions } from '../../../../src/api/actions/delete-dhcp-options.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeDhcpOptions } from '../../../../src/api/actions/describe-dhcp-options.ts'
import { describeVpcs } from '../../../../src/api/actions/describe-vpcs.ts'
import { modifyVpcAttribute } from '../../../../src/api/actions/modify-vpc-attribute.ts'
import { derivedId } from '../../../../src/model/derived-ids.ts'
import { BOB, type Cloud, hostRow, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

const RESOLVERS = ['10.0.0.53', 'AmazonProvidedDNS']

function configurations(said: Readonly<Record<string, readonly string[]>>) {
  return { DhcpConfigurations: Object.entries(said).map(([Key, Values]) => ({ Key, Values })) }
}

async function make(cloud: Cloud, said: Parameters<typeof configurations>[0]): Promise<string> {
  const { DhcpOptions } = await cloud.run(createDhcpOptions, configurations(said))
  return (DhcpOptions as { DhcpOptionsId: string }).DhcpOptionsId
}

it('makes sets, gives them to VPCs, and removes them', async () => {
  await using cloud = await openCloud()
  const tags = [{ Key: 'Name', Value: 'corp' }]
  const { DhcpOptions } = await cloud.run(createDhcpOptions, {
    ...configurations({
      'domain-name': ['corp.example lab.corp.example'],
      'domain-name-servers': ['10.0.0.53,AmazonProvidedDNS'],
      'ntp-servers': ['10.0.0.123'],
      'netbios-name-servers': ['10.0.0.7'],
      'netbios-node-type': ['2'],
    }),
    TagSpecifications: [{ ResourceType: 'dhcp-options', Tags: tags }],
  })
  const { DhcpOptionsId: id } = DhcpOptions as { DhcpOptionsId: string }
  const made = {
    DhcpOptionsId: id,
    DhcpConfigurations: [
      { Key: 'domain-name', Values: [{ Value: 'corp.example lab.corp.example' }] },
      { Key: 'domain-name-servers', Values: RESOLVERS.map((Value) => ({ Value })) },
      { Key: 'ntp-servers', Values: [{ Value: '10.0.0.123' }] },
      { Key: 'netbios-name-servers', Values: [{ Value: '10.0.0.7' }] },
      { Key: 'netbios-node-type', Values: [{ Value: '2' }] },
    ],
    Tags: tags,
  }
  expect(DhcpOptions).toMatchObject(made)
  const byValue = { Filters: [{ Name: 'value', Values: ['10.0.0.123'] }] }
  expect(await cloud.run(describeDhcpOptions, byValue)).toMatchObject({ DhcpOptions: [made] })
  const VpcId = cloud.vpc.id
  const shown = async () => (await cloud.run(describeVpcs))['Vpcs']
  await cloud.run(associateDhcpOptions, { VpcId, DhcpOptionsId: id })
  expect(await shown()).toMatchObject([{ DhcpOptionsId: id }])
  // Ansible deletes the set that the VPC had, and takes no refusal.
  const own = { DhcpOptionsId: derivedId('dopt', VpcId) }
  await cloud.run(deleteDhcpOptions, own)
  expect(await cloud.run(describeDhcpOptions)).toMatchObject({ DhcpOptions: [made] })
  expect(await cloud.refusal(deleteDhcpOptions, { DhcpOptionsId: id })).toBe('DependencyViolation')
  await cloud.run(associateDhcpOptions, { VpcId, DhcpOptionsId: 'default' })
  expect(await shown()).toMatchObject([{ DhcpOptionsId: derivedId('dopt', VpcId) }])
  await cloud.run(createTags, { Resources: [id], Tags: [{ Key: 'a', Value: 'b' }] })
  await cloud.run(deleteDhcpOptions, { DhcpOptionsId: id })
  expect(await cloud.refusal(deleteDhcpOptions, { DhcpOptionsId: id })).toBe(
    'InvalidDhcpOptionID.NotFound',
  )
})

it('go with their VPC, but not the other way round', async () => {
  await using cloud = await openCloud()
  const id = await make(cloud, { 'ntp-servers': ['10.0.0.123'] })
  const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.7.0.0/16' })
  const { VpcId } = Vpc as { VpcId: string }
  await cloud.run(associateDhcpOptions, { VpcId, DhcpOptionsId: id })
  await cloud.run(deleteVpc, { VpcId })
  await cloud.run(deleteDhcpOptions, { DhcpOptionsId: id })
  const own = derivedId('dopt', cloud.vpc.id)
  expect(await cloud.refusal(deleteDhcpOptions, { DhcpOptionsId: own })).toBe('DependencyViolation')
})

it('refuses what no host would carry out, and what is another account’s', async () => {
  await using cloud = await openCloud({
    settings: { quotas: { ...LIMITS.quotas, dhcpOptions: 1 } },
  })
  const refusal = (said: Parameters<typeof configurations>[0]) =>
    cloud.refusal(createDhcpOptions, configurations(said))
  expect(await refusal({})).toBe('MissingParameter')
  expect(await refusal({ 'ipv6-address-preferred-lease-time': ['140'] })).toBe(
    'UnsupportedOperation',
  )
  const bad: readonly Parameters<typeof configurations>[0][] = [
    { router: ['10.0.0.1'] },
    { 'domain-name': ['-a.example'] },
    { 'domain-name': ['a..example'] },
    { 'domain-name': ['a.example\nnameserver 10.0.0.1'] },
    { 'domain-name': ['a b c d e f g'] },
    { 'domain-name': ['a'.repeat(64)] },
    { 'domain-name-servers': ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'] },
    { 'domain-name-servers': ['resolver.example'] },
    { 'domain-name-servers': ['fd00::1'] },
    { 'ntp-servers': ['AmazonProvidedDNS'] },
    { 'netbios-name-servers': ['wins.example'] },
    { 'netbios-node-type': ['3'] },
    { 'netbios-node-type': ['1', '2'] },
  ]
  for (const said of bad) expect(await refusal(said)).toBe('InvalidParameterValue')
  const DhcpOptionsId = await make(cloud, { 'domain-name': ['corp.example'] })
  expect(await refusal({ 'ntp-servers': ['10.0.0.1'] })).toBe('DhcpOptionsLimitExceeded')
  const VpcId = cloud.vpc.id
  expect(await cloud.refusal(deleteDhcpOptions, { DhcpOptionsId }, BOB)).toBe(
    'InvalidDhcpOptionID.NotFound',
  )
  expect(await cloud.refusal(associateDhcpOptions, { VpcId, DhcpOptionsId }, BOB)).toBe(
    'InvalidVpcID.NotFound',
  )
  const none = { VpcId, DhcpOptionsId: 'dopt-00000000' }
  expect(await cloud.refusal(associateDhcpOptions, none)).toBe('InvalidDhcpOptionID.NotFound')
  expect(await cloud.refusal(associateDhcpOptions, { VpcId, DhcpOptionsId: 'x' })).toMatch(
    /^Invalid/,
  )
})

it('is not what a cloud has whose hosts would not do it', async () => {
  await using cloud = await openCloud()
  const id = await make(cloud, { 'domain-name': ['corp.example'] })
  const VpcId = cloud.vpc.id
  const older = { ...hostRow('older', { vcpus: 1, memoryMiB: 1 }), version: '0.2.9' }
  await cloud.store.change((tx) => tx.upsertHost(older, 60_000))
  const [associate, silent] = [
    { VpcId, DhcpOptionsId: id },
    { VpcId, EnableDnsSupport: { Value: false } },
  ]
  expect(await cloud.refusal(associateDhcpOptions, associate)).toBe('OperationNotPermitted')
  expect(await cloud.refusal(modifyVpcAttribute, silent)).toBe('OperationNotPermitted')
  // What older hosts do anyway.
  await cloud.run(associateDhcpOptions, { VpcId, DhcpOptionsId: 'default' })
  await cloud.run(modifyVpcAttribute, { VpcId, EnableDnsSupport: { Value: true } })
  await cloud.store.change((tx) => tx.upsertHost({ ...older, version: '0.3.0' }, 60_000))
  await cloud.run(associateDhcpOptions, associate)
  await cloud.run(modifyVpcAttribute, silent)
})
