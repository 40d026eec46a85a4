/**
 * One resource of each kind in an account, and a request of each action that names one's own: for
 * tests that put another account's ids in their place.
 */
import { allActions } from '../../src/api/actions/all.ts'
import type { AccountId, InstanceId, NicId } from '../../src/model/ids.ts'
import { known } from './api.ts'
import { type Cloud, ZONE } from './api-cloud.ts'

/** The ids and names of an account's resources. */
export type World = Readonly<Record<(typeof KINDS)[number], string>>

const KINDS = [
  ...(['instance', 'image', 'vpc', 'otherVpc', 'subnet', 'group', 'groupName', 'rule'] as const),
  ...(['keyPair', 'keyName', 'volume', 'nic', 'otherNic', 'attachment', 'allocation'] as const),
  ...(['association', 'publicIp', 'gateway', 'freeGateway', 'routeTable', 'otherTable'] as const),
  ...(['tableAssociation', 'acl', 'otherAcl', 'aclAssociation', 'nat', 'dhcpOptions'] as const),
  ...(['flowLog', 'peering', 'range', 'reservation', 'user', 'userKey', 'policy', 'team'] as const),
  ...(['template', 'templateName', 'placementName', 'list'] as const),
  ...(['role', 'roleArn', 'profile', 'profileAssociation'] as const),
]

/** The action of that name. */
export function actionNamed(name: string) {
  return known(allActions.find((action) => action.name === name))
}

/** Makes one resource of each kind. The account has a default VPC. */
export async function makeWorld(cloud: Cloud, account: AccountId, tag: string): Promise<World> {
  const run = async (name: string, input: object = {}) =>
    // biome-ignore lint/suspicious/noExplicitAny: answers of thirty actions, read by name.
    (await cloud.run(actionNamed(name), input, account)) as any
  const vpc = known(
    (await run('DescribeVpcs')).Vpcs.find((one: { IsDefault: boolean }) => one.IsDefault),
  ).VpcId
  const otherVpc = (await run('CreateVpc', { CidrBlock: '10.7.0.0/16' })).Vpc.VpcId
  const [subnet] = (await run('DescribeSubnets', { Filters: [{ Name: 'vpc-id', Values: [vpc] }] }))
    .Subnets
  const { KeyName: keyName, KeyPairId: keyPair } = await run('CreateKeyPair', {
    KeyName: `key-${tag}`,
    KeyType: 'ed25519',
  })
  const image = (
    await run('RegisterImage', {
      Name: `image-${tag}`,
      ImageLocation: `https://x.test/${tag}.qcow2`,
    })
  ).ImageId
  const groupName = `group-${tag}`
  const group = (
    await run('CreateSecurityGroup', { GroupName: groupName, Description: 'd', VpcId: vpc })
  ).GroupId
  const permission = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22 }
  const [rule] = (
    await run('AuthorizeSecurityGroupIngress', {
      GroupId: group,
      IpPermissions: [{ ...permission, IpRanges: [{ CidrIp: '192.0.2.0/24' }] }],
    })
  ).SecurityGroupRules
  const launched = await run('RunInstances', {
    ...{ ImageId: image, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 },
    SubnetId: subnet.SubnetId,
  })
  const instance = launched.Instances[0].InstanceId as InstanceId
  await cloud.store.change(async (tx) => {
    await tx.updateInstance(instance, { state: 'stopped', wanted: 'stop', bootSeen: 1 })
  })
  const [volume] = (await run('DescribeVolumes')).Volumes
  const nic = await run('CreateNetworkInterface', { SubnetId: subnet.SubnetId })
  const second = await run('CreateNetworkInterface', { SubnetId: subnet.SubnetId })
  const otherNic = second.NetworkInterface.NetworkInterfaceId as NicId
  const attachment = (
    await run('AttachNetworkInterface', {
      ...{ NetworkInterfaceId: otherNic, InstanceId: instance, DeviceIndex: 1 },
    })
  ).AttachmentId
  const address = await run('AllocateAddress', { Domain: 'vpc' })
  const association = (
    await run('AssociateAddress', { AllocationId: address.AllocationId, InstanceId: instance })
  ).AssociationId
  const gateways = (await run('DescribeInternetGateways')).InternetGateways
  const table = (await run('CreateRouteTable', { VpcId: vpc })).RouteTable.RouteTableId
  const otherTable = (await run('CreateRouteTable', { VpcId: vpc })).RouteTable.RouteTableId
  const acls = (await run('DescribeNetworkAcls', { Filters: [{ Name: 'vpc-id', Values: [vpc] }] }))
    .NetworkAcls
  const { RouteTableId: routeTable } = { RouteTableId: table }
  return {
    ...{ instance, image, vpc, otherVpc, subnet: subnet.SubnetId, group, groupName },
    ...{ rule: rule.SecurityGroupRuleId, keyPair, keyName, volume: volume.VolumeId },
    ...{ nic: nic.NetworkInterface.NetworkInterfaceId, otherNic, attachment, association },
    ...{ allocation: address.AllocationId, publicIp: address.PublicIp },
    gateway: gateways[0].InternetGatewayId,
    freeGateway: (await run('CreateInternetGateway')).InternetGateway.InternetGatewayId,
    ...{ routeTable, otherTable },
    tableAssociation: (
      await run('AssociateRouteTable', { RouteTableId: table, SubnetId: subnet.SubnetId })
    ).AssociationId,
    acl: acls[0].NetworkAclId,
    otherAcl: (await run('CreateNetworkAcl', { VpcId: vpc })).NetworkAcl.NetworkAclId,
    aclAssociation: acls[0].Associations[0].NetworkAclAssociationId,
    nat: (await run('CreateNatGateway', { SubnetId: subnet.SubnetId })).NatGateway.NatGatewayId,
    dhcpOptions: (
      await run('CreateDhcpOptions', {
        DhcpConfigurations: [{ Key: 'domain-name', Values: ['x.test'] }],
      })
    ).DhcpOptions.DhcpOptionsId,
    flowLog: (
      await run('CreateFlowLogs', {
        ...{ ResourceIds: [vpc], ResourceType: 'VPC', TrafficType: 'ALL' },
        ...{ LogDestinationType: 'cloud-watch-logs', LogGroupName: 'logs' },
      })
    ).FlowLogIds[0],
    peering: (await run('CreateVpcPeeringConnection', { VpcId: vpc, PeerVpcId: otherVpc }))
      .VpcPeeringConnection.VpcPeeringConnectionId,
    range: (await run('AssociateVpcCidrBlock', { VpcId: otherVpc, CidrBlock: '10.17.0.0/16' }))
      .CidrBlockAssociation.AssociationId,
    reservation: launched.ReservationId,
    ...(await makeUser(run, `user-${tag}`)),
    ...(await makeTemplate(run, image, tag)),
    list: (await run('CreateManagedPrefixList', NEW_LIST)).PrefixList.PrefixListId,
    ...(await makeRole(run, account, instance, tag)),
  }
}

async function makeTemplate(
  // biome-ignore lint/suspicious/noExplicitAny: answers of several actions, read by name.
  run: (name: string, input: object) => Promise<any>,
  ImageId: string,
  tag: string,
) {
  const templateName = `template-${tag}`
  const placementName = `placement-${tag}`
  await run('CreatePlacementGroup', { GroupName: placementName, Strategy: 'spread' })
  const LaunchTemplateData = { ImageId, InstanceType: 't3.micro' }
  const order = { LaunchTemplateName: templateName, LaunchTemplateData }
  const { LaunchTemplate } = await run('CreateLaunchTemplate', order)
  return { template: LaunchTemplate.LaunchTemplateId, templateName, placementName }
}

async function makeRole(
  // biome-ignore lint/suspicious/noExplicitAny: answers of several actions, read by name.
  run: (name: string, input: object) => Promise<any>,
  account: AccountId,
  InstanceId: string,
  tag: string,
) {
  const role = `role-${tag}`
  const profile = `profile-${tag}`
  const of = { RoleName: role }
  const made = await run('CreateRole', { ...of, AssumeRolePolicyDocument: trustOf(account) })
  await run('PutRolePolicy', { ...of, PolicyName: 'own', PolicyDocument: DOCUMENT })
  await run('AttachRolePolicy', { ...of, PolicyArn: READING })
  await run('CreateInstanceProfile', { InstanceProfileName: profile })
  await run('AddRoleToInstanceProfile', { InstanceProfileName: profile, ...of })
  const { IamInstanceProfileAssociation: association } = await run('AssociateIamInstanceProfile', {
    ...{ InstanceId, IamInstanceProfile: { Name: profile } },
  })
  return { role, roleArn: made.Role.Arn, profile, profileAssociation: association.AssociationId }
}

const NEW_LIST = {
  ...{ PrefixListName: 'list', AddressFamily: 'IPv4', MaxEntries: 5 },
  Entries: [{ Cidr: '192.0.2.0/24' }],
}

function trustOf(account: string): string {
  return JSON.stringify({
    Statement: { Effect: 'Allow', Principal: { AWS: account }, Action: 'sts:AssumeRole' },
  })
}

async function makeUser(
  // biome-ignore lint/suspicious/noExplicitAny: answers of several actions, read by name.
  run: (name: string, input: object) => Promise<any>,
  user: string,
) {
  const of = { UserName: user }
  await run('CreateUser', of)
  await run('PutUserPolicy', { ...of, PolicyName: 'own', PolicyDocument: DOCUMENT })
  await run('AttachUserPolicy', { ...of, PolicyArn: READING })
  const own = { PolicyName: `policy-of-${user}`, PolicyDocument: DOCUMENT }
  const policy = (await run('CreatePolicy', own)).Policy.Arn
  await run('CreatePolicyVersion', { PolicyArn: policy, PolicyDocument: DOCUMENT })
  const team = `team-of-${user}`
  await run('CreateGroup', { GroupName: team })
  await run('AddUserToGroup', { GroupName: team, UserName: user })
  await run('PutGroupPolicy', { GroupName: team, PolicyName: 'own', PolicyDocument: DOCUMENT })
  await run('AttachGroupPolicy', { GroupName: team, PolicyArn: READING })
  return { user, team, policy, userKey: (await run('CreateAccessKey', of)).AccessKey.AccessKeyId }
}

const READING = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
const DOCUMENT = '{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}'
const PERMISSIONS = [
  { IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: '198.51.100.0/24' }] },
]
const EVERYWHERE = { DestinationCidrBlock: '198.51.100.0/24' }
const LAUNCH = { InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
const DATA = { InstanceType: 't3.micro' }
const TAG = [{ Key: 'k', Value: 'v' }]
const IN_A_YEAR = new Date('2027-11-22T08:00:00Z')

type Request = (world: World) => object

/** Requests of each action: together they name a resource in every parameter that takes one. */
export const REQUESTS: Readonly<Record<string, readonly Request[]>> = {
  AcceptVpcPeeringConnection: [({ peering }) => ({ VpcPeeringConnectionId: peering })],
  AllocateAddress: [() => ({ Domain: 'vpc' }), ({ publicIp }) => ({ Address: publicIp })],
  AssignPrivateIpAddresses: [
    ({ nic }) => ({ NetworkInterfaceId: nic, SecondaryPrivateIpAddressCount: 1 }),
  ],
  AssociateAddress: [
    ({ allocation, instance }) => ({ AllocationId: allocation, InstanceId: instance }),
    ({ publicIp, nic }) => ({ PublicIp: publicIp, NetworkInterfaceId: nic }),
  ],
  AssociateDhcpOptions: [({ vpc, dhcpOptions }) => ({ VpcId: vpc, DhcpOptionsId: dhcpOptions })],
  AssociateVpcCidrBlock: [({ otherVpc }) => ({ VpcId: otherVpc, CidrBlock: '10.27.0.0/16' })],
  AssociateRouteTable: [
    ({ otherTable, subnet }) => ({ RouteTableId: otherTable, SubnetId: subnet }),
  ],
  AddRoleToInstanceProfile: [
    ({ role, profile }) => ({ RoleName: role, InstanceProfileName: profile }),
  ],
  AssociateIamInstanceProfile: [
    ({ instance, profile }) => ({ InstanceId: instance, IamInstanceProfile: { Name: profile } }),
  ],
  AssumeRole: [({ roleArn }) => ({ RoleArn: roleArn, RoleSessionName: 'me' })],
  AttachRolePolicy: [({ role }) => ({ RoleName: role, PolicyArn: READING })],
  CreateInstanceProfile: [({ profile }) => ({ InstanceProfileName: profile })],
  CreateRole: [
    ({ role }) => ({ RoleName: role, AssumeRolePolicyDocument: trustOf('000000000001') }),
  ],
  DeleteInstanceProfile: [({ profile }) => ({ InstanceProfileName: profile })],
  DeleteRole: [({ role }) => ({ RoleName: role })],
  DeleteRolePolicy: [({ role }) => ({ RoleName: role, PolicyName: 'own' })],
  DescribeIamInstanceProfileAssociations: [
    ({ profileAssociation }) => ({ AssociationIds: [profileAssociation] }),
  ],
  DetachRolePolicy: [({ role }) => ({ RoleName: role, PolicyArn: READING })],
  DisassociateIamInstanceProfile: [
    ({ profileAssociation }) => ({ AssociationId: profileAssociation }),
  ],
  GetInstanceProfile: [({ profile }) => ({ InstanceProfileName: profile })],
  GetRole: [({ role }) => ({ RoleName: role })],
  GetRolePolicy: [({ role }) => ({ RoleName: role, PolicyName: 'own' })],
  ListAttachedRolePolicies: [({ role }) => ({ RoleName: role })],
  ListInstanceProfilesForRole: [({ role }) => ({ RoleName: role })],
  ListInstanceProfileTags: [({ profile }) => ({ InstanceProfileName: profile })],
  ListRolePolicies: [({ role }) => ({ RoleName: role })],
  ListRoleTags: [({ role }) => ({ RoleName: role })],
  PutRolePolicy: [({ role }) => ({ RoleName: role, PolicyName: 'more', PolicyDocument: DOCUMENT })],
  RemoveRoleFromInstanceProfile: [
    ({ role, profile }) => ({ RoleName: role, InstanceProfileName: profile }),
  ],
  ReplaceIamInstanceProfileAssociation: [
    ({ profileAssociation, profile }) => ({
      ...{ AssociationId: profileAssociation, IamInstanceProfile: { Name: profile } },
    }),
  ],
  TagInstanceProfile: [({ profile }) => ({ InstanceProfileName: profile, Tags: TAG })],
  TagRole: [({ role }) => ({ RoleName: role, Tags: TAG })],
  UntagInstanceProfile: [({ profile }) => ({ InstanceProfileName: profile, TagKeys: ['k'] })],
  UntagRole: [({ role }) => ({ RoleName: role, TagKeys: ['k'] })],
  UpdateAssumeRolePolicy: [
    ({ role }) => ({ RoleName: role, PolicyDocument: trustOf('000000000001') }),
  ],
  UpdateRole: [({ role }) => ({ RoleName: role, Description: 'd' })],
  UpdateRoleDescription: [({ role }) => ({ RoleName: role, Description: 'd' })],
  UpdateUser: [
    ({ user }) => ({ UserName: user, NewPath: '/team/' }),
    ({ user }) => ({ UserName: 'none', NewUserName: user }),
  ],
  DeleteLoginProfile: [({ user }) => ({ UserName: user })],
  GetLoginProfile: [({ user }) => ({ UserName: user })],
  ListMFADevices: [({ user }) => ({ UserName: user })],
  ListServiceSpecificCredentials: [({ user }) => ({ UserName: user })],
  ListSigningCertificates: [({ user }) => ({ UserName: user })],
  ListSSHPublicKeys: [({ user }) => ({ UserName: user })],
  AttachUserPolicy: [({ user }) => ({ UserName: user, PolicyArn: READING })],
  CreateAccessKey: [({ user }) => ({ UserName: user })],
  CreateUser: [({ user }) => ({ UserName: user })],
  DeleteAccessKey: [({ user, userKey }) => ({ UserName: user, AccessKeyId: userKey })],
  DeleteUser: [({ user }) => ({ UserName: user })],
  DeleteUserPolicy: [({ user }) => ({ UserName: user, PolicyName: 'own' })],
  DetachUserPolicy: [({ user }) => ({ UserName: user, PolicyArn: READING })],
  GetAccountAuthorizationDetails: [],
  GetAccountSummary: [],
  SimulateCustomPolicy: [],
  GetAccessKeyInfo: [({ userKey }) => ({ AccessKeyId: userKey })],
  GetAccessKeyLastUsed: [({ userKey }) => ({ AccessKeyId: userKey })],
  GetFederationToken: [({ policy }) => ({ Name: 'guest', PolicyArns: [{ arn: policy }] })],
  ListPoliciesGrantingServiceAccess: [
    ({ roleArn }) => ({ Arn: roleArn, ServiceNamespaces: ['ec2'] }),
  ],
  SimulatePrincipalPolicy: [
    ({ roleArn }) => ({ PolicySourceArn: roleArn, ActionNames: ['ec2:RunInstances'] }),
  ],
  GetUser: [({ user }) => ({ UserName: user })],
  GetUserPolicy: [({ user }) => ({ UserName: user, PolicyName: 'own' })],
  ListAccessKeys: [({ user }) => ({ UserName: user })],
  ListAttachedUserPolicies: [({ user }) => ({ UserName: user })],
  AddUserToGroup: [({ team, user }) => ({ GroupName: team, UserName: user })],
  AttachGroupPolicy: [({ team }) => ({ GroupName: team, PolicyArn: READING })],
  CreateGroup: [({ team }) => ({ GroupName: team })],
  DeleteGroup: [({ team }) => ({ GroupName: team })],
  DeleteGroupPolicy: [({ team }) => ({ GroupName: team, PolicyName: 'own' })],
  DetachGroupPolicy: [({ team }) => ({ GroupName: team, PolicyArn: READING })],
  GetGroup: [({ team }) => ({ GroupName: team })],
  GetGroupPolicy: [({ team }) => ({ GroupName: team, PolicyName: 'own' })],
  ListAttachedGroupPolicies: [({ team }) => ({ GroupName: team })],
  ListGroupPolicies: [({ team }) => ({ GroupName: team })],
  PutGroupPolicy: [
    ({ team }) => ({ GroupName: team, PolicyName: 'more', PolicyDocument: DOCUMENT }),
  ],
  RemoveUserFromGroup: [({ team, user }) => ({ GroupName: team, UserName: user })],
  UpdateGroup: [({ team }) => ({ GroupName: team, NewPath: '/team/' })],
  ListGroupsForUser: [({ user }) => ({ UserName: user })],
  ListUserPolicies: [({ user }) => ({ UserName: user })],
  ListUserTags: [({ user }) => ({ UserName: user })],
  CreatePolicy: [() => ({ PolicyName: 'policy', PolicyDocument: DOCUMENT })],
  CreatePolicyVersion: [({ policy }) => ({ PolicyArn: policy, PolicyDocument: DOCUMENT })],
  DeletePolicy: [({ policy }) => ({ PolicyArn: policy })],
  DeletePolicyVersion: [({ policy }) => ({ PolicyArn: policy, VersionId: 'v2' })],
  GetPolicy: [({ policy }) => ({ PolicyArn: policy })],
  GetPolicyVersion: [({ policy }) => ({ PolicyArn: policy, VersionId: 'v1' })],
  ListEntitiesForPolicy: [({ policy }) => ({ PolicyArn: policy })],
  ListPolicyTags: [({ policy }) => ({ PolicyArn: policy })],
  ListPolicyVersions: [({ policy }) => ({ PolicyArn: policy })],
  SetDefaultPolicyVersion: [({ policy }) => ({ PolicyArn: policy, VersionId: 'v2' })],
  TagPolicy: [({ policy }) => ({ PolicyArn: policy, Tags: TAG })],
  UntagPolicy: [({ policy }) => ({ PolicyArn: policy, TagKeys: ['k'] })],
  TagUser: [({ user }) => ({ UserName: user, Tags: TAG })],
  UntagUser: [({ user }) => ({ UserName: user, TagKeys: ['k'] })],
  PutUserPolicy: [({ user }) => ({ UserName: user, PolicyName: 'more', PolicyDocument: DOCUMENT })],
  UpdateAccessKey: [
    ({ user, userKey }) => ({ UserName: user, AccessKeyId: userKey, Status: 'Inactive' }),
  ],
  AttachInternetGateway: [
    ({ freeGateway, otherVpc }) => ({ InternetGatewayId: freeGateway, VpcId: otherVpc }),
  ],
  AttachNetworkInterface: [
    ({ nic, instance }) => ({ NetworkInterfaceId: nic, InstanceId: instance, DeviceIndex: 2 }),
  ],
  AuthorizeSecurityGroupEgress: [({ group }) => ({ GroupId: group, IpPermissions: PERMISSIONS })],
  AuthorizeSecurityGroupIngress: [
    ({ group }) => ({ GroupId: group, IpPermissions: PERMISSIONS }),
    ({ group, otherGroup = group }: World & { otherGroup?: string }) => ({
      GroupId: group,
      IpPermissions: [
        { IpProtocol: 'udp', FromPort: 1, ToPort: 1, UserIdGroupPairs: [{ GroupId: otherGroup }] },
      ],
    }),
    ({ groupName }) => ({ GroupName: groupName, SourceSecurityGroupName: groupName }),
  ],
  CreateDefaultSubnet: [() => ({ AvailabilityZone: ZONE })],
  CreateDefaultVpc: [() => ({})],
  CreateDhcpOptions: [() => ({ DhcpConfigurations: [{ Key: 'domain-name', Values: ['y.test'] }] })],
  CreateFlowLogs: [
    ({ subnet }) => ({
      ...{ ResourceIds: [subnet], ResourceType: 'Subnet', TrafficType: 'ALL', LogGroupName: 'l' },
    }),
    ({ nic }) => ({
      ...{ ResourceIds: [nic], ResourceType: 'NetworkInterface', TrafficType: 'ALL' },
      LogGroupName: 'l',
    }),
    ({ otherVpc }) => ({
      ...{ ResourceIds: [otherVpc], ResourceType: 'VPC', TrafficType: 'ALL', LogGroupName: 'l' },
    }),
  ],
  CreateImage: [({ instance }) => ({ InstanceId: instance, Name: 'made' })],
  CreateInternetGateway: [() => ({})],
  CreateKeyPair: [({ keyName }) => ({ KeyName: keyName, KeyType: 'ed25519' })],
  CopyImage: [({ image }) => ({ SourceImageId: image, SourceRegion: 'atoll', Name: 'copy' })],
  CreateLaunchTemplate: [
    ({ templateName }) => ({ LaunchTemplateName: templateName, LaunchTemplateData: DATA }),
  ],
  CreateLaunchTemplateVersion: [
    ({ template }) => ({ LaunchTemplateId: template, LaunchTemplateData: DATA }),
    ({ templateName }) => ({ LaunchTemplateName: templateName, LaunchTemplateData: DATA }),
  ],
  CreatePlacementGroup: [({ placementName }) => ({ GroupName: placementName, Strategy: 'spread' })],
  DeleteLaunchTemplate: [
    ({ template }) => ({ LaunchTemplateId: template }),
    ({ templateName }) => ({ LaunchTemplateName: templateName }),
  ],
  DeleteLaunchTemplateVersions: [
    ({ template }) => ({ LaunchTemplateId: template, Versions: ['7'] }),
    ({ templateName }) => ({ LaunchTemplateName: templateName, Versions: ['7'] }),
  ],
  DeletePlacementGroup: [({ placementName }) => ({ GroupName: placementName })],
  DescribeLaunchTemplates: [
    ({ template }) => ({ LaunchTemplateIds: [template] }),
    ({ templateName }) => ({ LaunchTemplateNames: [templateName] }),
  ],
  DescribeLaunchTemplateVersions: [
    ({ template }) => ({ LaunchTemplateId: template }),
    ({ templateName }) => ({ LaunchTemplateName: templateName }),
  ],
  DescribePlacementGroups: [({ placementName }) => ({ GroupNames: [placementName] })],
  GetConsoleScreenshot: [({ instance }) => ({ InstanceId: instance })],
  GetLaunchTemplateData: [({ instance }) => ({ InstanceId: instance })],
  EnableImageDeprecation: [({ image }) => ({ ImageId: image, DeprecateAt: IN_A_YEAR })],
  DisableImageDeprecation: [({ image }) => ({ ImageId: image })],
  ModifyInstanceEventStartTime: [
    ({ instance }) => ({
      ...{ InstanceId: instance, InstanceEventId: 'instance-event-0123456789abcdef0' },
      NotBefore: IN_A_YEAR,
    }),
  ],
  ModifyImageAttribute: [({ image }) => ({ ImageId: image, Description: { Value: 'd' } })],
  ModifyInstancePlacement: [
    ({ instance, placementName }) => ({ InstanceId: instance, GroupName: placementName }),
  ],
  ModifyLaunchTemplate: [
    ({ template }) => ({ LaunchTemplateId: template, DefaultVersion: '1' }),
    ({ templateName }) => ({ LaunchTemplateName: templateName, DefaultVersion: '1' }),
  ],
  ResetImageAttribute: [({ image }) => ({ ImageId: image, Attribute: 'launchPermission' })],
  ResetInstanceAttribute: [
    ({ instance }) => ({ InstanceId: instance, Attribute: 'sourceDestCheck' }),
  ],
  CreateManagedPrefixList: [() => NEW_LIST],
  DeleteManagedPrefixList: [({ list }) => ({ PrefixListId: list })],
  DescribeManagedPrefixLists: [({ list }) => ({ PrefixListIds: [list] })],
  GetManagedPrefixListAssociations: [({ list }) => ({ PrefixListId: list })],
  GetManagedPrefixListEntries: [({ list }) => ({ PrefixListId: list })],
  ModifyManagedPrefixList: [
    ({ list }) => ({ PrefixListId: list, AddEntries: [{ Cidr: '10.0.0.0/8' }] }),
    ({ list }) => ({ PrefixListId: list, PrefixListName: 'other' }),
  ],
  RestoreManagedPrefixListVersion: [
    ({ list }) => ({ PrefixListId: list, PreviousVersion: 1, CurrentVersion: 1 }),
  ],
  CreateNatGateway: [({ subnet }) => ({ SubnetId: subnet })],
  CreateNetworkAcl: [({ vpc }) => ({ VpcId: vpc })],
  CreateNetworkAclEntry: [
    ({ acl }) => ({
      ...{ NetworkAclId: acl, RuleNumber: 7, Protocol: '-1', RuleAction: 'deny', Egress: false },
      CidrBlock: '198.51.100.0/24',
    }),
  ],
  CreateNetworkInterface: [({ subnet, group }) => ({ SubnetId: subnet, Groups: [group] })],
  CreateRoute: [
    ({ routeTable, gateway }) => ({ RouteTableId: routeTable, GatewayId: gateway, ...EVERYWHERE }),
    ({ routeTable, nat }) => ({ RouteTableId: routeTable, NatGatewayId: nat, ...EVERYWHERE }),
    ({ routeTable, peering }) => ({
      ...{ RouteTableId: routeTable, VpcPeeringConnectionId: peering, ...EVERYWHERE },
    }),
    ({ routeTable, nic }) => ({ RouteTableId: routeTable, NetworkInterfaceId: nic, ...EVERYWHERE }),
    ({ routeTable, instance }) => ({
      RouteTableId: routeTable,
      InstanceId: instance,
      ...EVERYWHERE,
    }),
  ],
  CreateRouteTable: [({ vpc }) => ({ VpcId: vpc })],
  CreateSecurityGroup: [
    ({ vpc }) => ({ GroupName: 'new', Description: 'd', VpcId: vpc }),
    ({ vpc, groupName }) => ({ GroupName: groupName, Description: 'd', VpcId: vpc }),
  ],
  CreateSubnet: [({ otherVpc }) => ({ VpcId: otherVpc, CidrBlock: '10.7.1.0/24' })],
  CreateTags: [
    ...tagged((id) => ({ Resources: [id], Tags: TAG })),
    ({ instance, volume }) => ({ Resources: [instance, volume], Tags: TAG }),
  ],
  CreateVpc: [() => ({ CidrBlock: '10.8.0.0/16' })],
  CreateVpcPeeringConnection: [({ vpc, otherVpc }) => ({ VpcId: otherVpc, PeerVpcId: vpc })],
  DeleteDhcpOptions: [({ dhcpOptions }) => ({ DhcpOptionsId: dhcpOptions })],
  DeleteFlowLogs: [({ flowLog }) => ({ FlowLogIds: [flowLog] })],
  DeleteInternetGateway: [({ freeGateway }) => ({ InternetGatewayId: freeGateway })],
  DeleteKeyPair: [
    ({ keyName }) => ({ KeyName: keyName }),
    ({ keyPair }) => ({ KeyPairId: keyPair }),
  ],
  DeleteNatGateway: [({ nat }) => ({ NatGatewayId: nat })],
  DeleteNetworkAcl: [({ otherAcl }) => ({ NetworkAclId: otherAcl })],
  DeleteNetworkAclEntry: [({ acl }) => ({ NetworkAclId: acl, RuleNumber: 100, Egress: false })],
  DeleteNetworkInterface: [({ nic }) => ({ NetworkInterfaceId: nic })],
  DeleteRoute: [({ routeTable }) => ({ RouteTableId: routeTable, ...EVERYWHERE })],
  DeleteRouteTable: [({ otherTable }) => ({ RouteTableId: otherTable })],
  DeleteSecurityGroup: [
    ({ group }) => ({ GroupId: group }),
    ({ groupName }) => ({ GroupName: groupName }),
  ],
  DeleteSubnet: [({ subnet }) => ({ SubnetId: subnet })],
  DeleteTags: tagged((id) => ({ Resources: [id] })),
  DeleteVolume: [({ volume }) => ({ VolumeId: volume })],
  DisassociateVpcCidrBlock: [({ range }) => ({ AssociationId: range })],
  DeleteVpc: [({ otherVpc }) => ({ VpcId: otherVpc })],
  DeleteVpcPeeringConnection: [({ peering }) => ({ VpcPeeringConnectionId: peering })],
  DeregisterImage: [({ image }) => ({ ImageId: image })],
  DescribeAddresses: [
    ({ allocation }) => ({ AllocationIds: [allocation] }),
    ({ publicIp }) => ({ PublicIps: [publicIp] }),
  ],
  DescribeAddressesAttribute: [({ allocation }) => ({ AllocationIds: [allocation] })],
  DescribeDhcpOptions: [({ dhcpOptions }) => ({ DhcpOptionsIds: [dhcpOptions] })],
  DescribeFlowLogs: [({ flowLog }) => ({ FlowLogIds: [flowLog] })],
  DescribeImageAttribute: [({ image }) => ({ ImageId: image, Attribute: 'description' })],
  DescribeImages: [({ image }) => ({ ImageIds: [image] })],
  DescribeInstanceAttribute: [
    ({ instance }) => ({ InstanceId: instance, Attribute: 'disableApiStop' }),
  ],
  DescribeInstanceCreditSpecifications: [({ instance }) => ({ InstanceIds: [instance] })],
  DescribeInstanceStatus: [
    ({ instance }) => ({ InstanceIds: [instance], IncludeAllInstances: true }),
  ],
  DescribeInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  DescribeInternetGateways: [({ gateway }) => ({ InternetGatewayIds: [gateway] })],
  DescribeKeyPairs: [
    ({ keyPair }) => ({ KeyPairIds: [keyPair] }),
    ({ keyName }) => ({ KeyNames: [keyName] }),
  ],
  DescribeNatGateways: [({ nat }) => ({ NatGatewayIds: [nat] })],
  DescribeNetworkAcls: [({ acl }) => ({ NetworkAclIds: [acl] })],
  DescribeNetworkInterfaceAttribute: [
    ({ nic }) => ({ NetworkInterfaceId: nic, Attribute: 'description' }),
  ],
  DescribeNetworkInterfaces: [({ nic }) => ({ NetworkInterfaceIds: [nic] })],
  DescribeRouteTables: [({ routeTable }) => ({ RouteTableIds: [routeTable] })],
  DescribeSecurityGroupReferences: [({ group }) => ({ GroupId: [group] })],
  DescribeSecurityGroupRules: [({ rule }) => ({ SecurityGroupRuleIds: [rule] })],
  DescribeSecurityGroups: [
    ({ group }) => ({ GroupIds: [group] }),
    ({ groupName }) => ({ GroupNames: [groupName] }),
  ],
  DescribeStaleSecurityGroups: [({ vpc }) => ({ VpcId: vpc })],
  DescribeSubnets: [({ subnet }) => ({ SubnetIds: [subnet] })],
  DescribeVolumeAttribute: [({ volume }) => ({ VolumeId: volume, Attribute: 'autoEnableIO' })],
  DescribeVolumeStatus: [({ volume }) => ({ VolumeIds: [volume] })],
  DescribeVolumes: [({ volume }) => ({ VolumeIds: [volume] })],
  DescribeVpcAttribute: [({ vpc }) => ({ VpcId: vpc, Attribute: 'enableDnsSupport' })],
  DescribeVpcClassicLink: [({ vpc }) => ({ VpcIds: [vpc] })],
  DescribeVpcClassicLinkDnsSupport: [({ vpc }) => ({ VpcIds: [vpc] })],
  DescribeVpcPeeringConnections: [({ peering }) => ({ VpcPeeringConnectionIds: [peering] })],
  DescribeVpcs: [({ vpc }) => ({ VpcIds: [vpc] })],
  DetachInternetGateway: [({ gateway, vpc }) => ({ InternetGatewayId: gateway, VpcId: vpc })],
  DetachNetworkInterface: [({ attachment }) => ({ AttachmentId: attachment })],
  DisassociateAddress: [
    ({ association }) => ({ AssociationId: association }),
    ({ publicIp }) => ({ PublicIp: publicIp }),
  ],
  DisassociateRouteTable: [({ tableAssociation }) => ({ AssociationId: tableAssociation })],
  GetConsoleOutput: [({ instance }) => ({ InstanceId: instance })],
  GetPasswordData: [({ instance }) => ({ InstanceId: instance })],
  GetSecurityGroupsForVpc: [({ vpc }) => ({ VpcId: vpc })],
  GetSubnetCidrReservations: [({ subnet }) => ({ SubnetId: subnet })],
  ImportKeyPair: [],
  LookupEvents: [
    ({ instance }) => ({
      LookupAttributes: [{ AttributeKey: 'ResourceName', AttributeValue: instance }],
    }),
  ],
  ModifyAddressAttribute: [({ allocation }) => ({ AllocationId: allocation })],
  ModifyInstanceAttribute: [
    ({ instance }) => ({ InstanceId: instance, DisableApiStop: { Value: true } }),
    ({ instance, group }) => ({ InstanceId: instance, Groups: [group] }),
  ],
  ModifyInstanceMaintenanceOptions: [
    ({ instance }) => ({ InstanceId: instance, AutoRecovery: 'default' }),
  ],
  ModifyPrivateDnsNameOptions: [
    ({ instance }) => ({ InstanceId: instance, PrivateDnsHostnameType: 'ip-name' }),
  ],
  ModifyInstanceCapacityReservationAttributes: [
    ({ instance }) => ({
      InstanceId: instance,
      CapacityReservationSpecification: { CapacityReservationPreference: 'open' },
    }),
  ],
  ModifyInstanceMetadataOptions: [
    ({ instance }) => ({ InstanceId: instance, HttpTokens: 'required' }),
  ],
  ModifyNetworkInterfaceAttribute: [
    ({ nic, group }) => ({ NetworkInterfaceId: nic, Groups: [group] }),
    ({ otherNic, attachment }) => ({
      NetworkInterfaceId: otherNic,
      Attachment: { AttachmentId: attachment, DeleteOnTermination: true },
    }),
  ],
  ModifySecurityGroupRules: [
    ({ group, rule }) => ({
      GroupId: group,
      SecurityGroupRules: [
        {
          SecurityGroupRuleId: rule,
          SecurityGroupRule: {
            ...{ IpProtocol: 'tcp', FromPort: 23, ToPort: 23, CidrIpv4: '192.0.2.0/24' },
          },
        },
      ],
    }),
  ],
  ModifySubnetAttribute: [
    ({ subnet }) => ({ SubnetId: subnet, MapPublicIpOnLaunch: { Value: true } }),
  ],
  ModifyVpcAttribute: [({ vpc }) => ({ VpcId: vpc, EnableDnsSupport: { Value: true } })],
  ModifyVpcPeeringConnectionOptions: [({ peering }) => ({ VpcPeeringConnectionId: peering })],
  MonitorInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  RebootInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  RejectVpcPeeringConnection: [({ peering }) => ({ VpcPeeringConnectionId: peering })],
  ReleaseAddress: [
    ({ allocation }) => ({ AllocationId: allocation }),
    ({ publicIp }) => ({ PublicIp: publicIp }),
  ],
  ReplaceNetworkAclAssociation: [
    ({ aclAssociation, otherAcl }) => ({ AssociationId: aclAssociation, NetworkAclId: otherAcl }),
  ],
  ReplaceNetworkAclEntry: [
    ({ acl }) => ({
      ...{ NetworkAclId: acl, RuleNumber: 100, Protocol: '-1', RuleAction: 'deny', Egress: false },
      CidrBlock: '198.51.100.0/24',
    }),
  ],
  ReplaceRoute: [
    ({ routeTable, gateway }) => ({ RouteTableId: routeTable, GatewayId: gateway, ...EVERYWHERE }),
  ],
  ReplaceRouteTableAssociation: [
    ({ tableAssociation, otherTable }) => ({
      ...{ AssociationId: tableAssociation, RouteTableId: otherTable },
    }),
  ],
  ResetAddressAttribute: [
    ({ allocation }) => ({ AllocationId: allocation, Attribute: 'domain-name' }),
  ],
  ResetNetworkInterfaceAttribute: [
    ({ nic }) => ({ NetworkInterfaceId: nic, SourceDestCheck: 'true' }),
  ],
  RevokeSecurityGroupEgress: [({ group }) => ({ GroupId: group, IpPermissions: PERMISSIONS })],
  RevokeSecurityGroupIngress: [
    ({ group, rule }) => ({ GroupId: group, SecurityGroupRuleIds: [rule] }),
    ({ groupName }) => ({ GroupName: groupName, IpPermissions: PERMISSIONS }),
  ],
  RunInstances: [
    ({ image, subnet, group, keyName }) => ({
      ...{ ...LAUNCH, ImageId: image, SubnetId: subnet, SecurityGroupIds: [group] },
      KeyName: keyName,
    }),
    ({ template }) => ({
      MinCount: 1,
      MaxCount: 1,
      LaunchTemplate: { LaunchTemplateId: template },
    }),
    ({ templateName }) => ({
      ...{ MinCount: 1, MaxCount: 1, LaunchTemplate: { LaunchTemplateName: templateName } },
    }),
    ({ image, placementName }) => ({
      ...{ ...LAUNCH, ImageId: image, Placement: { GroupName: placementName } },
    }),
    ({ image, profile }) => ({
      ...{ ...LAUNCH, ImageId: image, IamInstanceProfile: { Name: profile } },
    }),
    ({ image, groupName }) => ({ ...LAUNCH, ImageId: image, SecurityGroups: [groupName] }),
    ({ image, nic }) => ({
      ...{ ...LAUNCH, ImageId: image },
      NetworkInterfaces: [{ DeviceIndex: 0, NetworkInterfaceId: nic }],
    }),
    ({ image, subnet, group }) => ({
      ...{ ...LAUNCH, ImageId: image },
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: subnet, Groups: [group] }],
    }),
  ],
  StartInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  StopInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  TerminateInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  UnassignPrivateIpAddresses: [
    ({ nic }) => ({ NetworkInterfaceId: nic, PrivateIpAddresses: ['172.31.1.1'] }),
  ],
  UnmonitorInstances: [({ instance }) => ({ InstanceIds: [instance] })],
  UpdateSecurityGroupRuleDescriptionsEgress: [
    ({ group }) => ({ GroupId: group, IpPermissions: PERMISSIONS }),
  ],
  UpdateSecurityGroupRuleDescriptionsIngress: [
    ({ group, rule }) => ({
      ...{ GroupId: group, SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId: rule }] },
    }),
    ({ groupName }) => ({ GroupName: groupName, IpPermissions: PERMISSIONS }),
  ],
}

/** A request for a resource of each kind that can have tags. */
function tagged(request: (id: string) => object): readonly Request[] {
  const kinds = [
    ...(['instance', 'image', 'vpc', 'subnet', 'group', 'rule', 'keyPair', 'volume'] as const),
    ...(['nic', 'allocation', 'gateway', 'routeTable', 'acl', 'nat', 'dhcpOptions'] as const),
    ...(['flowLog', 'peering', 'template', 'list'] as const),
  ]
  return kinds.map((kind) => (world) => request(world[kind]))
}
