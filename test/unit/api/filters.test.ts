/**
 * Every filter that EC2 documents for an action is taken by it, and no other. What none of them
 * finds in a cloud that has one of everything is in `recorded/filters-that-match-nothing.txt`, to
 * be looked over when it changes: a line there is a thing that Atoll does not have.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { allocateAddress } from '../../../src/api/actions/allocate-address.ts'
import { alwaysEmptyActions } from '../../../src/api/actions/always-empty.ts'
import { associateAddress } from '../../../src/api/actions/associate-address.ts'
import { associateRouteTable } from '../../../src/api/actions/associate-route-table.ts'
import { createKeyPair } from '../../../src/api/actions/create-key-pair.ts'
import { createLaunchTemplate } from '../../../src/api/actions/create-launch-template.ts'
import { createManagedPrefixList } from '../../../src/api/actions/create-managed-prefix-list.ts'
import { createNatGateway } from '../../../src/api/actions/create-nat-gateway.ts'
import { createNetworkAclEntry } from '../../../src/api/actions/create-network-acl-entry.ts'
import { createPlacementGroup } from '../../../src/api/actions/create-placement-group.ts'
import { createRoute } from '../../../src/api/actions/create-route.ts'
import { createRouteTable } from '../../../src/api/actions/create-route-table.ts'
import { createTags } from '../../../src/api/actions/create-tags.ts'
import { createVpc } from '../../../src/api/actions/create-vpc.ts'
import { createVpcPeeringConnection } from '../../../src/api/actions/create-vpc-peering-connection.ts'
import { describeNetworkInterfaces } from '../../../src/api/actions/describe-network-interfaces.ts'
import { describeTags } from '../../../src/api/actions/describe-tags.ts'
import { runInstances } from '../../../src/api/actions/run-instances.ts'
import { DOCUMENTED_FILTERS } from '../../../src/api/generated/filters.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { derivedId } from '../../../src/model/derived-ids.ts'
import { formatId } from '../../../src/model/ids.ts'
import { known } from '../../kit/api.ts'
import { ALICE, type Cloud, openCloud } from '../../kit/api-cloud.ts'

const documented = Object.entries(DOCUMENTED_FILTERS).filter(
  // Of one subnet, and without exception empty (`actions/get-subnet-cidr-reservations.test.ts`).
  ([name]) =>
    !alwaysEmptyActions.some((one) => one.name === name) && name !== 'GetSubnetCidrReservations',
)

let cloud: Cloud
beforeAll(async () => {
  const ranges = [{ first: ipv4('203.0.113.9'), last: ipv4('203.0.113.19') }]
  cloud = await openCloud({ settings: { pools: [{ name: 'public', ranges, zones: null }] } })
  await fill()
  return () => cloud[Symbol.asyncDispose]()
})

/**
 * A virtual machine and a container, one with all that can be said of an instance, and tags on
 * everything.
 */
async function fill(): Promise<void> {
  const machine = formatId('ami', new Uint8Array(9).fill(7))
  await cloud.store.change(async (tx) => {
    const image = known((await tx.images({}))[0])
    const location = 'https://images.test/debian.qcow2#firmware=uefi'
    const reason = { stateReason: 'why', sourceInstance: formatId('i', new Uint8Array(9)) }
    await tx.insertImage({
      ...image,
      id: machine,
      name: 'machine',
      location,
      ...reason,
      diskGiB: 2,
    })
  })
  await cloud.run(createKeyPair, { KeyName: 'key' })
  const once = { MinCount: 1, MaxCount: 1, KeyName: 'key', ClientToken: 'token' }
  await cloud.run(runInstances, { ...once, ImageId: machine, InstanceType: 't3.micro' })
  await cloud.run(runInstances, { ImageId: cloud.image, MinCount: 1, MaxCount: 1 })
  await cloud.store.change(async (tx) => {
    const stateReason = { code: 'Server.InternalError', message: 'why' }
    for (const { id, bootCount } of await tx.instances({}))
      await tx.updateInstance(id, {
        state: 'running',
        bootSeen: bootCount,
        stateReason,
        transitionReason: 'why',
      })
  })
  const { AllocationId } = await cloud.run(allocateAddress)
  await cloud.run(associateAddress, { AllocationId, InstanceId: await firstInstance() })
  const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.7.0.0/16' })
  const pair = { VpcId: cloud.vpc.id, PeerVpcId: (Vpc as { VpcId: string }).VpcId }
  const { VpcPeeringConnection } = await cloud.run(createVpcPeeringConnection, pair)
  const peering = (VpcPeeringConnection as { VpcPeeringConnectionId: string })
    .VpcPeeringConnectionId
  const { nics, keys, images, instances, volumes } = await cloud.store.read(async (tx) => ({
    nics: await tx.nics({}),
    keys: await tx.keyPairs({ account: ALICE }),
    images: await tx.images({}),
    instances: await tx.instances({}),
    volumes: await tx.volumes({}),
  }))
  const digits = cloud.vpc.id.slice('vpc-'.length)
  const parts = ['igw', 'rtb', 'acl', 'dopt'].map((prefix) => `${prefix}-${digits}`)
  const records = [...nics, ...keys, ...images, ...instances, ...volumes].map(({ id }) => id)
  const rules = await rulesOf()
  const Resources = [
    String(AllocationId),
    peering,
    ...records,
    ...parts,
    ...rules,
    ...(await fillRouting()),
    ...(await fillTemplates()),
    await fillList(),
    cloud.vpc.id,
    cloud.subnet.id,
    cloud.group.id,
  ]
  await cloud.run(createTags, { Resources, Tags: [{ Key: 'Name', Value: 'value' }] })
}

/** A NAT gateway with a route to it, and entries of all kinds. Returns what can have tags. */
async function fillRouting(): Promise<readonly string[]> {
  const { NatGateway } = await cloud.run(createNatGateway, { SubnetId: cloud.subnet.id })
  const { NatGatewayId } = NatGateway as { NatGatewayId: string }
  const { RouteTable } = await cloud.run(createRouteTable, { VpcId: cloud.vpc.id })
  const { RouteTableId } = RouteTable as { RouteTableId: string }
  await cloud.run(associateRouteTable, { RouteTableId, SubnetId: cloud.subnet.id })
  const DestinationCidrBlock = '198.51.100.0/24'
  await cloud.run(createRoute, { RouteTableId, DestinationCidrBlock, NatGatewayId })
  const NetworkAclId = derivedId('acl', cloud.vpc.id)
  const entry = { NetworkAclId, Egress: false, RuleAction: 'deny' }
  for (const [at, more] of [
    { Protocol: '6', PortRange: { From: 22, To: 23 }, CidrBlock: '198.51.100.0/24' },
    { Protocol: '1', IcmpTypeCode: { Type: 8, Code: -1 }, Ipv6CidrBlock: '::/0' },
  ].entries())
    await cloud.run(createNetworkAclEntry, { ...entry, RuleNumber: at + 1, ...more })
  return [NatGatewayId, RouteTableId]
}

/** A placement group, and a launch template with its version. Returns what can have tags. */
async function fillTemplates(): Promise<readonly string[]> {
  const { PlacementGroup } = await cloud.run(createPlacementGroup, {
    ...{ GroupName: 'apart', Strategy: 'spread', SpreadLevel: 'host' },
  })
  const { LaunchTemplate } = await cloud.run(createLaunchTemplate, {
    LaunchTemplateName: 'web',
    LaunchTemplateData: {
      ImageId: cloud.image,
      InstanceType: 't3.micro',
      MetadataOptions: { HttpTokens: 'required', HttpEndpoint: 'enabled' },
    },
  })
  const { GroupId } = PlacementGroup as { GroupId: string }
  return [GroupId, (LaunchTemplate as { LaunchTemplateId: string }).LaunchTemplateId]
}

/** A prefix list that rules of both directions name. Returns its id. */
async function fillList(): Promise<string> {
  const { PrefixList } = await cloud.run(createManagedPrefixList, {
    ...{ PrefixListName: 'office', AddressFamily: 'IPv4', MaxEntries: 1 },
  })
  const { PrefixListId } = PrefixList as { PrefixListId: string }
  const named = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, PrefixListIds: [{ PrefixListId }] }
  for (const way of ['Ingress', 'Egress'])
    await cloud.run(action(`AuthorizeSecurityGroup${way}`), {
      ...{ GroupId: cloud.group.id, IpPermissions: [named] },
    })
  return PrefixListId
}

async function firstInstance(): Promise<string> {
  return known((await cloud.store.read((tx) => tx.instances({})))[0]).id
}

async function rulesOf(): Promise<readonly string[]> {
  const describeRules = action('DescribeSecurityGroupRules')
  const { SecurityGroupRules } = await cloud.run(describeRules)
  return (SecurityGroupRules as { SecurityGroupRuleId: string }[]).map(
    (rule) => rule.SecurityGroupRuleId,
  )
}

function action(name: string) {
  return known(allActions.find((one) => one.name === name))
}

/** Actions whose list of filters has another name. */
const CALL_IT_FILTER: ReadonlySet<string> = new Set(['DescribeNatGateways', 'DescribeFlowLogs'])

const filterOf = (name: string) => [{ Name: name === 'tag:' ? 'tag:Name' : name, Values: ['*'] }]

/** An action's input with the filter, and what else the action requires. */
function inputWith(name: string, filter: string) {
  const required: Readonly<Record<string, object>> = {
    GetSecurityGroupsForVpc: { VpcId: cloud.vpc.id },
    // Of all templates it shows these only.
    DescribeLaunchTemplateVersions: { Versions: ['$Latest'] },
  }
  const parameter = CALL_IT_FILTER.has(name) ? 'Filter' : 'Filters'
  return { ...required[name], [parameter]: filterOf(filter) }
}

/** How many things an action shows. */
async function count(name: string, input: object): Promise<number> {
  const answer = await cloud.run(action(name), input)
  return Object.values(answer).reduce<number>(
    (sum, value) => sum + (Array.isArray(value) ? value.length : 0),
    0,
  )
}

it('are of every action that lists something', () => {
  expect(documented.length).toBeGreaterThan(20)
})

describe.each(documented)('%s', (name, filters) => {
  it('takes all that is documented, and nothing else', async () => {
    for (const filter of filters) await cloud.run(action(name), inputWith(name, filter))
    for (const wrong of ['colour', 'Tag:Name', 'tag', filters[0]?.toUpperCase() ?? ''])
      expect(await cloud.refusal(action(name), inputWith(name, wrong))).toBe(
        'InvalidParameterValue',
      )
  })
})

it('match nothing only where there is nothing', async () => {
  const lines: string[] = []
  for (const [name, filters] of documented)
    for (const filter of filters)
      if ((await count(name, inputWith(name, filter))) === 0) lines.push(`${name} ${filter}\n`)
  await expect(lines.join('')).toMatchFileSnapshot('recorded/filters-that-match-nothing.txt')
})

it('are told by the names that EC2 calls them by when one is refused', async () => {
  const run = cloud.run(describeNetworkInterfaces, { Filters: filterOf('colour') })
  await expect(run).rejects.toMatchObject({ message: "The filter 'colour' is invalid" })
})

it.each([
  ['DescribeVpcs', 'cidr-block', '172.31.*'],
  ['DescribeVpcs', 'isDefault', 'true'],
  ['DescribeSubnets', 'cidrBlock', '172.31.*'],
  ['DescribeSubnets', 'cidr', '172.31.*'],
  ['DescribeSubnets', 'vpcId', 'vpc-*'],
  ['DescribeInstances', 'tag-value', 'val?e'],
  ['DescribeInstances', 'launch-time', '2026-11-22T*'],
  ['DescribeInstances', 'network-interface.tag-value', 'value'],
  ['DescribeVolumes', 'tag-value', 'value'],
])('of %s: %s, an older or wild one, finds what %s is of', async (name, Name, value) => {
  const Filters = [{ Name, Values: [value] }]
  expect(await count(name, { Filters })).toBeGreaterThan(0)
  expect(await count(name, { Filters: [{ Name, Values: [`x${value}`] }] })).toBe(0)
  expect(await count(name, { Filters: [{ Name, Values: [] }] })).toBe(0)
  expect(await count(name, { Filters: [{ Name }] })).toBe(0)
  expect(await count(name, { Filters: [...Filters, { Name, Values: [] }] })).toBe(0)
})

it('are joined by AND, and find tags of everything that is tagged', async () => {
  const Filters = [
    { Name: 'resource-type', Values: ['network-interface', 'internet-gateway', 'volume'] },
    { Name: 'tag:Name', Values: ['value'] },
  ]
  const { Tags } = await cloud.run(describeTags, { Filters })
  expect((Tags as { ResourceType: string }[]).map((tag) => tag.ResourceType).toSorted()).toEqual([
    'internet-gateway',
    'network-interface',
    'network-interface',
    'volume',
  ])
})
