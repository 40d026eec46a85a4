/**
 * Every action that changes something, in a cloud of six hosts: a dry run changes and rings
 * nothing; every host that should look is rung and sees the change in its next reading; nobody else
 * is rung. The rows come from the list of actions: one without a row fails.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRecordsReader, type RecordsReader } from '../../../src/agent/reader.ts'
import { allActions } from '../../../src/api/actions/all.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { cidr, cidrAddress, ipv4 } from '../../../src/model/addr.ts'

import { derivedId } from '../../../src/model/derived-ids.ts'

import { DEFAULT_FIELDS } from '../../../src/model/flow-log.ts'

import {
  type AccountId,
  type HostName,
  type ImageId,
  type InstanceId,
  newIds,
  type SubnetId,
  type VpcId,
} from '../../../src/model/ids.ts'
import { eventOf, TTL_TAG } from '../../../src/model/lever.ts'
import type { Address, Instance } from '../../../src/model/records.ts'
import type { HostWant } from '../../../src/model/want.ts'
import { wantFor } from '../../../src/plan/want.ts'
import { insertWholeVpc } from '../../../src/store/new-vpc.ts'
import { ALICE, BOB, type Cloud, hostRow, openCloud } from '../../kit/api-cloud.ts'
import {
  image,
  instanceRecord,
  network,
  nicRecord,
  numbered,
  volumeRecord,
} from '../../kit/records.ts'
import { ROLE_ROWS } from './role-rows.ts'

/** Hosts: which of two VPCs they have an instance in. Only `free` has room for another one. */
const NONE = { vcpus: 0, memoryMiB: 0, diskGiB: 0 }
const ROOM = { vcpus: 64, memoryMiB: 65_536, diskGiB: 1000 }

interface Fixture {
  readonly cloud: Cloud
  readonly vpc: VpcId
  readonly other: VpcId
  readonly otherSubnet: SubnetId
  /**
   * A running container and a stopped one on `own`, in the first VPC; the running one has a Name
   * tag.
   */
  readonly named: InstanceId
  readonly stopped: InstanceId
  /** Running on `own`, in the first VPC, without a name. */
  readonly plain: InstanceId
  readonly image: ImageId
  readonly hosts: Readonly<Record<Place, HostName>>
}

/**
 * `api` answers and has no instance; `own` has those that are changed; `near` has one in the same
 * VPC, `far` one in another, `empty` none; `free` has room.
 */
type Place = 'api' | 'own' | 'near' | 'far' | 'empty' | 'free'
const PLACES: readonly Place[] = ['api', 'own', 'near', 'far', 'empty', 'free']

interface Row {
  /** What is special about the case, for actions with several. */
  readonly when?: string
  readonly input: (fixture: Fixture) => object
  /** Who asks, unless it is Alice. */
  readonly by?: AccountId
  /** What must be there before, beside the fixture. */
  readonly before?: (fixture: Fixture) => Promise<void>
  /** Hosts whose want is another one afterwards. */
  readonly sees: readonly Place[]
  /** Hosts that are rung and see nothing of it, each with a reason in a comment. */
  readonly rungInVain?: readonly Place[]
}

const VOLUME = numbered('vol', 9)
const PUBLIC_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMl7aJxvC4pYj3RjVb0qv5c2VhGm0m1f0mDqkVqQ8p1S'

/** That of `named`, the first of the world. */
const FIRST_NIC = nicRecord(numbered('i', 101), 101)
const TEMPLATE = numbered('lt', 1)
const LOOSE = numbered('eni', 900)
const IN_A_YEAR = new Date('2027-11-22T08:00:00Z')
const END = {
  kind: 'terminate',
  dueMs: IN_A_YEAR.getTime(),
  notBeforeMs: IN_A_YEAR.getTime(),
} as const
const LEVER = { tag: TTL_TAG, fromMs: 0, strike: END } as const
const ATTACHMENT = {
  id: numbered('eni-attach', 1),
  attachedAt: '2026-11-22T08:00:00.000Z',
  deleteOnTermination: false,
}

const instances = (...ids: readonly InstanceId[]) => ({ InstanceIds: ids })
const name = (resource: string, value = 'web') => ({
  Resources: [resource],
  Tags: [{ Key: 'Name', Value: value }],
})

/** A user with a policy of each kind and a key, for actions of IAM. No host has to know of any. */
const USER = 'dev'
const READING = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
const KEY_OF_USER = 'AKIAOFDEV'
const DOCUMENT = '{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}'

const withUser: Row['before'] = ({ cloud }) =>
  cloud.store.change(async (tx) => {
    const createdAt = '2026-11-22T08:00:00.000Z'
    await tx.insertUser({ account: ALICE, name: USER, id: 'AIDAAAAAAAAAAAAAAAAAA', createdAt })
  })
const withPolicies: Row['before'] = async (fixture) => {
  await withUser(fixture)
  await fixture.cloud.store.change(async (tx) => {
    const of = { account: ALICE, owner: `user/${USER}` } as const
    await tx.putIdentityPolicy({ ...of, kind: 'inline', name: 'own', document: DOCUMENT })
    await tx.putIdentityPolicy({ ...of, kind: 'managed', name: READING, document: '' })
  })
}
const withKey: Row['before'] = async (fixture) => {
  await withUser(fixture)
  const key = {
    id: KEY_OF_USER,
    secret: 's',
    account: ALICE,
    user: USER,
    rights: 'policies',
  } as const
  await fixture.cloud.store.change((tx) => tx.insertAccessKey({ ...key, status: 'limited' }))
}
/** A policy of two versions, for actions of IAM. */
const POLICY = { PolicyArn: `arn:aws:iam::${ALICE}:policy/own` }
const withPolicy: Row['before'] = ({ cloud }) =>
  cloud.store.change(async (tx) => {
    const at = '2026-11-22T08:00:00.000Z'
    await tx.insertOwnPolicy({
      ...{ account: ALICE, name: 'own', id: 'ANPAAAAAAAAAAAAAAAAAA', path: '/', description: '' },
      ...{ tags: [{ key: 'k', value: 'v' }], defaultVersion: 1, lastVersion: 2 },
      ...{ createdAt: at, updatedAt: at },
    })
    const version = { account: ALICE, policy: 'own', document: DOCUMENT, createdAt: at }
    await tx.insertOwnPolicyVersion({ ...version, version: 1 })
    await tx.insertOwnPolicyVersion({ ...version, version: 2 })
  })
const withOneVersion: Row['before'] = async (fixture) => {
  await withPolicy(fixture)
  const version = { account: ALICE, policy: 'own', version: 2 }
  await fixture.cloud.store.change((tx) => tx.deleteOwnPolicyVersion(version))
}
const TEAM = { GroupName: 'team' }
const TEAM_ID = `AGPA${'A'.repeat(17)}`
const withGroup: Row['before'] = async (fixture) => {
  await withUser?.(fixture)
  const group = { account: ALICE, name: TEAM.GroupName, id: TEAM_ID, path: '/' }
  await fixture.cloud.store.change((tx) =>
    tx.insertUserGroup({ ...group, createdAt: '2026-11-22T00:00:00.000Z' }),
  )
}
const withMember: Row['before'] = async (fixture) => {
  await withGroup?.(fixture)
  const owner = `group/${TEAM.GroupName}` as const
  await fixture.cloud.store.change(async (tx) => {
    const user = (await tx.user(ALICE, USER))?.id ?? ''
    await tx.insertGroupMember({ account: ALICE, user, group: TEAM_ID })
    await tx.putIdentityPolicy({
      ...{ account: ALICE, owner, kind: 'inline' },
      name: 'own',
      document: DOCUMENT,
    })
    await tx.putIdentityPolicy({
      ...{ account: ALICE, owner, kind: 'managed' },
      name: READING,
      document: '',
    })
  })
}
const ofGroup =
  (more: object = {}) =>
  () => ({ ...TEAM, ...more })
const ofPolicy =
  (more: object = {}) =>
  () => ({ ...POLICY, ...more })
const ofUser =
  (more: object = {}) =>
  () => ({ UserName: USER, ...more })

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  ...ROLE_ROWS,
  UpdateUser: [{ before: withKey, input: ofUser({ NewUserName: 'ops' }), sees: [] }],
  CreateGroup: [{ input: () => TEAM, sees: [] }],
  UpdateGroup: [{ before: withGroup, input: ofGroup({ NewGroupName: 'ops' }), sees: [] }],
  DeleteGroup: [{ before: withGroup, input: ofGroup(), sees: [] }],
  AddUserToGroup: [{ before: withGroup, input: ofGroup({ UserName: USER }), sees: [] }],
  RemoveUserFromGroup: [{ before: withMember, input: ofGroup({ UserName: USER }), sees: [] }],
  PutGroupPolicy: [
    {
      before: withGroup,
      input: ofGroup({ PolicyName: 'own', PolicyDocument: DOCUMENT }),
      sees: [],
    },
  ],
  DeleteGroupPolicy: [{ before: withMember, input: ofGroup({ PolicyName: 'own' }), sees: [] }],
  AttachGroupPolicy: [{ before: withGroup, input: ofGroup({ PolicyArn: READING }), sees: [] }],
  DetachGroupPolicy: [{ before: withMember, input: ofGroup({ PolicyArn: READING }), sees: [] }],
  CreateUser: [{ input: ofUser(), sees: [] }],
  DeleteUser: [{ before: withUser, input: ofUser(), sees: [] }],
  TagUser: [{ before: withUser, input: ofUser({ Tags: [{ Key: 'k', Value: 'v' }] }), sees: [] }],
  UntagUser: [{ before: withUser, input: ofUser({ TagKeys: ['k'] }), sees: [] }],
  CreatePolicy: [{ input: () => ({ PolicyName: 'p', PolicyDocument: DOCUMENT }), sees: [] }],
  DeletePolicy: [{ before: withOneVersion, input: ofPolicy(), sees: [] }],
  CreatePolicyVersion: [
    { before: withPolicy, input: ofPolicy({ PolicyDocument: DOCUMENT }), sees: [] },
  ],
  DeletePolicyVersion: [{ before: withPolicy, input: ofPolicy({ VersionId: 'v2' }), sees: [] }],
  SetDefaultPolicyVersion: [{ before: withPolicy, input: ofPolicy({ VersionId: 'v2' }), sees: [] }],
  TagPolicy: [
    { before: withPolicy, input: ofPolicy({ Tags: [{ Key: 'a', Value: 'b' }] }), sees: [] },
  ],
  UntagPolicy: [{ before: withPolicy, input: ofPolicy({ TagKeys: ['k'] }), sees: [] }],
  CreateAccessKey: [{ before: withUser, input: ofUser(), sees: [] }],
  UpdateAccessKey: [
    { before: withKey, input: ofUser({ AccessKeyId: KEY_OF_USER, Status: 'Inactive' }), sees: [] },
  ],
  DeleteAccessKey: [{ before: withKey, input: ofUser({ AccessKeyId: KEY_OF_USER }), sees: [] }],
  PutUserPolicy: [
    {
      before: withUser,
      input: ofUser({ PolicyName: 'own', PolicyDocument: DOCUMENT }),
      sees: [],
    },
  ],
  DeleteUserPolicy: [{ before: withPolicies, input: ofUser({ PolicyName: 'own' }), sees: [] }],
  AttachUserPolicy: [{ before: withUser, input: ofUser({ PolicyArn: READING }), sees: [] }],
  DetachUserPolicy: [{ before: withPolicies, input: ofUser({ PolicyArn: READING }), sees: [] }],
  RunInstances: [
    {
      when: 'in the first VPC',
      input: (fixture) => ({ ImageId: fixture.image, MinCount: 1, MaxCount: 1 }),
      sees: ['free', 'own', 'near'],
    },
    {
      when: 'in the other VPC',
      input: (fixture) => ({
        ImageId: fixture.image,
        MinCount: 1,
        MaxCount: 1,
        SubnetId: fixture.otherSubnet,
      }),
      sees: ['free', 'far'],
    },
  ],
  StartInstances: [{ input: ({ stopped }) => instances(stopped), sees: ['own'] }],
  StopInstances: [
    { when: 'without a name', input: ({ plain }) => instances(plain), sees: ['own'] },
    // It answers to its name no more.
    { when: 'with a name', input: ({ named }) => instances(named), sees: ['own', 'near'] },
  ],
  RebootInstances: [{ input: ({ named }) => instances(named), sees: ['own'] }],
  TerminateInstances: [
    { when: 'without a name', input: ({ plain }) => instances(plain), sees: ['own'] },
    { when: 'with a name', input: ({ named }) => instances(named), sees: ['own', 'near'] },
  ],
  ModifyInstanceAttribute: [
    {
      when: 'user data',
      input: ({ stopped: InstanceId }) => ({ InstanceId, UserData: { Value: 'aGVsbG8=' } }),
      sees: ['own'],
    },
    {
      when: 'an option that only clients see',
      input: ({ plain: InstanceId }) => ({ InstanceId, DisableApiStop: { Value: true } }),
      sees: [],
    },
    {
      when: 'groups',
      before: keepGroup,
      input: ({ plain: InstanceId }) => ({ InstanceId, Groups: [GROUP] }),
      sees: ['own', 'near'],
    },
  ],
  ModifyNetworkInterfaceAttribute: [
    {
      before: keepGroup,
      input: () => ({ NetworkInterfaceId: FIRST_NIC.id, Groups: [GROUP] }),
      sees: ['own', 'near'],
    },
  ],
  ResetNetworkInterfaceAttribute: [
    {
      before: ({ cloud }) =>
        cloud.store.change((tx) => tx.updateNic(FIRST_NIC, { sourceDestCheck: false })),
      input: () => ({ NetworkInterfaceId: FIRST_NIC.id }),
      sees: ['own', 'near'],
    },
  ],
  ResetInstanceAttribute: [
    {
      before: ({ cloud }) =>
        cloud.store.change((tx) => tx.updateNic(FIRST_NIC, { sourceDestCheck: false })),
      input: ({ named: InstanceId }) => ({ InstanceId, Attribute: 'sourceDestCheck' }),
      sees: ['own', 'near'],
    },
  ],
  // No host reads launch templates, placement groups, or to whom an image is shared.
  CreateLaunchTemplate: [
    {
      input: () => ({ LaunchTemplateName: 'new', LaunchTemplateData: { KeyName: 'a' } }),
      sees: [],
    },
  ],
  CreateLaunchTemplateVersion: [
    {
      before: keepTemplate,
      input: () => ({ LaunchTemplateId: TEMPLATE, LaunchTemplateData: { KeyName: 'b' } }),
      sees: [],
    },
  ],
  ModifyLaunchTemplate: [
    {
      before: keepTemplate,
      input: () => ({ LaunchTemplateId: TEMPLATE, DefaultVersion: '2' }),
      sees: [],
    },
  ],
  DeleteLaunchTemplate: [
    { before: keepTemplate, input: () => ({ LaunchTemplateId: TEMPLATE }), sees: [] },
  ],
  DeleteLaunchTemplateVersions: [
    {
      before: keepTemplate,
      input: () => ({ LaunchTemplateId: TEMPLATE, Versions: ['2'] }),
      sees: [],
    },
  ],
  CreatePlacementGroup: [{ input: () => ({ GroupName: 'new' }), sees: [] }],
  DeletePlacementGroup: [
    { before: keepPlacementGroup, input: () => ({ GroupName: 'near' }), sees: [] },
  ],
  ModifyInstancePlacement: [
    {
      before: keepPlacementGroup,
      input: ({ stopped: InstanceId }) => ({ InstanceId, GroupName: 'near' }),
      // Its metadata names the group.
      sees: ['own'],
    },
  ],
  ModifyImageAttribute: [
    {
      when: 'permissions',
      input: ({ image: ImageId }) => ({
        ...{ ImageId, LaunchPermission: { Add: [{ Group: 'all' }] } },
      }),
      sees: [],
    },
    {
      when: 'a description',
      input: ({ image: ImageId }) => ({ ImageId, Description: { Value: 'new' } }),
      sees: [],
    },
  ],
  EnableImageDeprecation: [
    { input: ({ image: ImageId }) => ({ ImageId, DeprecateAt: IN_A_YEAR }), sees: [] },
  ],
  DisableImageDeprecation: [
    {
      before: ({ cloud, image }) =>
        cloud.store.change((tx) =>
          tx.updateImage(image, { deprecatedAt: IN_A_YEAR.toISOString() }),
        ),
      input: ({ image: ImageId }) => ({ ImageId }),
      sees: [],
    },
  ],
  ModifyInstanceEventStartTime: [
    {
      before: ({ cloud, plain }) => announceEnd(cloud, plain),
      input: ({ plain: InstanceId }) => ({
        ...{ InstanceId, NotBefore: new Date(END.dueMs + 1000) },
        InstanceEventId: eventOf({ ...LEVER, instance: InstanceId }, END).id,
      }),
      sees: ['own'],
    },
  ],
  ResetImageAttribute: [
    {
      before: ({ cloud, image }) =>
        cloud.store.change(async (tx) => {
          await tx.insertImagePermission({ image, grantee: BOB, account: ALICE })
        }),
      input: ({ image: ImageId }) => ({ ImageId, Attribute: 'launchPermission' }),
      sees: [],
    },
  ],
  CopyImage: [
    {
      input: ({ image }) => ({ SourceImageId: image, SourceRegion: 'atoll', Name: 'copy' }),
      sees: [],
      // An image that is available needs nothing of the host in its row.
      rungInVain: ['api'],
    },
  ],
  // Attached to nothing, it concerns nobody.
  CreateNetworkInterface: [{ input: ({ cloud }) => ({ SubnetId: cloud.subnet.id }), sees: [] }],
  DeleteNetworkInterface: [
    { before: keepNic, input: () => ({ NetworkInterfaceId: LOOSE }), sees: [] },
  ],
  AttachNetworkInterface: [
    {
      before: keepNic,
      input: ({ plain: InstanceId }) => ({ NetworkInterfaceId: LOOSE, InstanceId, DeviceIndex: 1 }),
      sees: ['own', 'near'],
    },
  ],
  DetachNetworkInterface: [
    {
      before: async (fixture) => {
        await keepNic(fixture)
        await attachNic(fixture)
      },
      input: () => ({ AttachmentId: ATTACHMENT.id }),
      sees: ['own', 'near'],
    },
  ],
  AssignPrivateIpAddresses: [
    {
      input: () => ({ NetworkInterfaceId: FIRST_NIC.id, SecondaryPrivateIpAddressCount: 1 }),
      sees: ['own', 'near'],
    },
  ],
  UnassignPrivateIpAddresses: [
    {
      before: ({ cloud }) =>
        cloud.store.change(async (tx) => {
          const [nic] = await tx.nics({ ids: [FIRST_NIC.id] })
          if (nic !== undefined) await tx.insertNicAddress(nic, ipv4('172.31.9.9'))
        }),
      input: () => ({
        NetworkInterfaceId: FIRST_NIC.id,
        PrivateIpAddresses: ['172.31.9.9'],
      }),
      sees: ['own', 'near'],
    },
  ],
  // Nothing leads to it.
  AllocateAddress: [{ input: () => ({}), sees: [] }],
  AssociateAddress: [
    {
      before: (fixture) => keepAddress(fixture),
      input: ({ plain: InstanceId }) => ({ AllocationId: ADDRESS.id, InstanceId }),
      // Its public name is one of its VPC.
      sees: ['own', 'near'],
    },
  ],
  DisassociateAddress: [
    {
      before: (fixture) => keepAddress(fixture, fixture.plain),
      input: () => ({ PublicIp: ADDRESS.ip }),
      sees: ['own', 'near'],
    },
  ],
  // Of the name that an address has on the Internet no host knows.
  ModifyAddressAttribute: [
    {
      before: (fixture) => keepAddress(fixture),
      input: () => ({ AllocationId: ADDRESS.id }),
      sees: [],
    },
  ],
  ResetAddressAttribute: [
    {
      before: (fixture) => keepAddress(fixture),
      input: () => ({ AllocationId: ADDRESS.id, Attribute: 'domain-name' }),
      sees: [],
    },
  ],
  // A request joins nobody yet.
  CreateVpcPeeringConnection: [
    {
      before: (fixture) => keepPeering(fixture, null),
      input: () => ({ VpcId: PEER_VPCS[0], PeerVpcId: PEER_VPCS[1] }),
      sees: [],
    },
  ],
  // Every host knows which VPCs are peered, as it knows the VPCs.
  AcceptVpcPeeringConnection: [
    {
      before: (fixture) => keepPeering(fixture, 'pending-acceptance'),
      input: () => ({ VpcPeeringConnectionId: PEERING }),
      sees: PLACES,
    },
  ],
  RejectVpcPeeringConnection: [
    {
      before: (fixture) => keepPeering(fixture, 'pending-acceptance'),
      input: () => ({ VpcPeeringConnectionId: PEERING }),
      sees: [],
    },
  ],
  DeleteVpcPeeringConnection: [
    {
      before: (fixture) => keepPeering(fixture, 'active'),
      input: () => ({ VpcPeeringConnectionId: PEERING }),
      sees: PLACES,
    },
  ],
  ModifyVpcPeeringConnectionOptions: [
    {
      before: (fixture) => keepPeering(fixture, 'active'),
      input: () => ({ VpcPeeringConnectionId: PEERING }),
      sees: [],
    },
    {
      before: (fixture) => keepPeering(fixture, 'active'),
      input: () => ({
        VpcPeeringConnectionId: PEERING,
        RequesterPeeringConnectionOptions: { AllowDnsResolutionFromRemoteVpc: true },
      }),
      sees: PLACES,
    },
  ],
  ReleaseAddress: [
    {
      before: (fixture) => keepAddress(fixture),
      input: () => ({ AllocationId: ADDRESS.id }),
      sees: [],
    },
  ],
  // That it was asked for is shown to clients, and no host does anything by it.
  MonitorInstances: [{ input: ({ plain }) => instances(plain), sees: [] }],
  UnmonitorInstances: [{ input: ({ plain }) => instances(plain), sees: [] }],
  // Shown to clients, and no host does anything by it.
  ModifyInstanceMaintenanceOptions: [
    { input: ({ plain: InstanceId }) => ({ InstanceId, AutoRecovery: 'default' }), sees: [] },
  ],
  ModifyPrivateDnsNameOptions: [
    {
      input: ({ plain: InstanceId }) => ({ InstanceId, PrivateDnsHostnameType: 'ip-name' }),
      sees: [],
    },
  ],
  ModifyInstanceCapacityReservationAttributes: [
    {
      input: ({ plain: InstanceId }) => ({
        InstanceId,
        CapacityReservationSpecification: { CapacityReservationPreference: 'open' },
      }),
      sees: [],
    },
  ],
  ModifyInstanceMetadataOptions: [
    {
      input: ({ plain: InstanceId }) => ({ InstanceId, HttpEndpoint: 'disabled' }),
      sees: ['own'],
    },
  ],
  // For launches from now on, which read it.
  ModifyInstanceMetadataDefaults: [{ input: () => ({ HttpTokens: 'optional' }), sees: [] }],
  CreateTags: [
    { when: 'a name', input: ({ plain }) => name(plain), sees: ['own', 'near'] },
    {
      when: 'another tag',
      input: ({ plain }) => ({ Resources: [plain], Tags: [{ Key: 'a', Value: 'b' }] }),
      sees: ['own'],
    },
    { when: 'of an image', input: (fixture) => name(fixture.image), sees: [] },
  ],
  DeleteTags: [
    {
      when: 'a name',
      input: ({ named }) => ({ Resources: [named], Tags: [{ Key: 'Name' }] }),
      sees: ['own', 'near'],
    },
    { when: 'of an image', input: (fixture) => ({ Resources: [fixture.image] }), sees: [] },
  ],
  // The host that answers looks at the location.
  RegisterImage: [
    { input: () => ({ Name: 'new', ImageLocation: 'docker://new:latest' }), sees: ['api'] },
  ],
  CreateImage: [
    { input: ({ plain: InstanceId }) => ({ InstanceId, Name: 'copy' }), sees: ['own'] },
  ],
  DeregisterImage: [
    {
      when: 'that is kept on a host',
      before: ({ cloud, hosts }) => keepImage(cloud, hosts.own),
      input: () => ({ ImageId: KEPT }),
      sees: ['own'],
    },
  ],
  DeleteVolume: [
    {
      before: ({ cloud, hosts }) => keepVolume(cloud, hosts.own),
      input: () => ({ VolumeId: VOLUME }),
      sees: ['own'],
    },
  ],
  // Every host has the gateways of all networks.
  CreateVpc: [{ input: () => ({ CidrBlock: '10.7.0.0/16' }), sees: PLACES }],
  CreateDefaultVpc: [{ input: () => ({}), by: BOB, sees: PLACES }],
  AssociateVpcCidrBlock: [
    {
      before: keepOwnVpc,
      input: () => ({ VpcId: VPC, CidrBlock: '10.8.0.0/16' }),
      sees: PLACES,
    },
  ],
  DisassociateVpcCidrBlock: [
    { before: keepOwnVpc, input: () => ({ AssociationId: RANGE }), sees: PLACES },
  ],
  DeleteVpc: [{ before: keepVpc, input: () => ({ VpcId: VPC }), sees: PLACES }],
  ModifyVpcAttribute: [
    {
      when: 'that hosts go by',
      input: ({ vpc: VpcId }) => ({ VpcId, EnableDnsSupport: { Value: false } }),
      sees: ['own', 'near'],
    },
    {
      when: 'that only clients see',
      input: ({ vpc: VpcId }) => ({ VpcId, EnableDnsHostnames: { Value: false } }),
      sees: [],
      rungInVain: ['own', 'near'],
    },
  ],
  CreateFlowLogs: [
    {
      input: ({ vpc }) => ({
        ...{ ResourceType: 'VPC', ResourceIds: [vpc], TrafficType: 'ALL', LogGroupName: 'web' },
      }),
      sees: ['own', 'near'],
    },
  ],
  DeleteFlowLogs: [
    { before: keepFlowLog, input: () => ({ FlowLogIds: [FLOW_LOG] }), sees: ['own', 'near'] },
  ],
  // No VPC has it yet, or any more.
  CreateDhcpOptions: [{ input: () => DHCP_OPTIONS, sees: [] }],
  DeleteDhcpOptions: [
    { before: keepDhcpOptions, input: () => ({ DhcpOptionsId: DHCP_SET }), sees: [] },
  ],
  AssociateDhcpOptions: [
    {
      before: keepDhcpOptions,
      input: ({ vpc: VpcId }) => ({ VpcId, DhcpOptionsId: DHCP_SET }),
      sees: ['own', 'near'],
    },
  ],
  CreateSubnet: [
    { input: ({ vpc: VpcId }) => ({ VpcId, CidrBlock: '172.31.64.0/20' }), sees: PLACES },
  ],
  CreateDefaultSubnet: [
    { before: keepZone, input: () => ({ AvailabilityZone: OTHER_ZONE }), sees: PLACES },
  ],
  DeleteSubnet: [{ before: keepSubnet, input: () => ({ SubnetId: SUBNET }), sees: PLACES }],
  // It is attached to nothing.
  CreateInternetGateway: [{ input: () => ({}), sees: [] }],
  DeleteInternetGateway: [
    { before: keepGateway, input: () => ({ InternetGatewayId: GATEWAY }), sees: [] },
  ],
  AttachInternetGateway: [
    {
      before: async (fixture) => {
        await keepGateway(fixture)
        await detachOwn(fixture)
      },
      input: ({ vpc: VpcId }) => ({ InternetGatewayId: GATEWAY, VpcId }),
      // No route leads to it.
      sees: [],
      rungInVain: ['own', 'near'],
    },
  ],
  DetachInternetGateway: [
    {
      input: ({ vpc: VpcId }) => ({ InternetGatewayId: derivedId('igw', VpcId), VpcId }),
      sees: ['own', 'near'],
    },
  ],
  // No route leads to it.
  CreateNatGateway: [
    {
      input: ({ cloud }) => ({ SubnetId: cloud.subnet.id }),
      sees: [],
      rungInVain: ['own', 'near'],
    },
  ],
  DeleteNatGateway: [
    {
      before: keepNatGateway,
      input: () => ({ NatGatewayId: NAT_GATEWAY }),
      sees: [],
      rungInVain: ['own', 'near'],
    },
  ],
  // No subnet goes by it.
  CreateRouteTable: [{ input: ({ vpc: VpcId }) => ({ VpcId }), sees: [] }],
  DeleteRouteTable: [{ before: keepTable, input: () => ({ RouteTableId: TABLE }), sees: [] }],
  CreateRoute: [
    {
      input: ({ vpc }) => ({
        ...mainRoute(vpc),
        DestinationCidrBlock: '203.0.113.0/24',
        GatewayId: derivedId('igw', vpc),
      }),
      sees: ['own', 'near'],
    },
  ],
  ReplaceRoute: [
    {
      before: keepNatGateway,
      input: ({ vpc }) => ({ ...mainRoute(vpc), NatGatewayId: NAT_GATEWAY }),
      sees: ['own', 'near'],
    },
  ],
  DeleteRoute: [{ input: ({ vpc }) => mainRoute(vpc), sees: ['own', 'near'] }],
  AssociateRouteTable: [
    {
      before: keepTable,
      input: ({ cloud }) => ({ RouteTableId: TABLE, SubnetId: cloud.subnet.id }),
      sees: ['own', 'near'],
    },
  ],
  DisassociateRouteTable: [
    {
      before: async (fixture) => {
        await keepTable(fixture)
        const { vpc, subnet } = { vpc: fixture.vpc, subnet: fixture.cloud.subnet.id }
        const made = { id: TABLE_ASSOCIATION, table: TABLE, vpc, subnet }
        await fixture.cloud.store.change((tx) => tx.insertRouteTableAssociation(made))
      },
      input: () => ({ AssociationId: TABLE_ASSOCIATION }),
      sees: ['own', 'near'],
    },
  ],
  ReplaceRouteTableAssociation: [
    {
      before: keepTable,
      input: ({ vpc }) => ({
        AssociationId: derivedId('rtbassoc', vpc),
        RouteTableId: TABLE,
      }),
      sees: ['own', 'near'],
    },
  ],
  // No subnet has it.
  CreateNetworkAcl: [{ input: ({ vpc: VpcId }) => ({ VpcId }), sees: [] }],
  DeleteNetworkAcl: [{ before: keepAcl, input: () => ({ NetworkAclId: ACL }), sees: [] }],
  CreateNetworkAclEntry: [
    {
      input: ({ vpc }) => ({ ...aclEntry(vpc), RuleNumber: 50, RuleAction: 'deny' }),
      sees: ['own', 'near'],
    },
  ],
  ReplaceNetworkAclEntry: [
    { input: ({ vpc }) => ({ ...aclEntry(vpc), RuleAction: 'deny' }), sees: ['own', 'near'] },
  ],
  DeleteNetworkAclEntry: [
    {
      input: ({ vpc }) => ({
        NetworkAclId: derivedId('acl', vpc),
        Egress: true,
        RuleNumber: 100,
      }),
      sees: ['own', 'near'],
    },
  ],
  ReplaceNetworkAclAssociation: [
    {
      before: keepAcl,
      input: ({ cloud }) => ({
        AssociationId: derivedId('aclassoc', cloud.subnet.id),
        NetworkAclId: ACL,
      }),
      sees: ['own', 'near'],
    },
  ],
  // The next launch uses it.
  ModifySubnetAttribute: [
    {
      input: ({ otherSubnet: SubnetId }) => ({ SubnetId, MapPublicIpOnLaunch: { Value: true } }),
      sees: [],
    },
  ],
  // Whoever has members of the VPC knows its groups.
  CreateSecurityGroup: [
    { input: () => ({ GroupName: 'web', Description: 'web' }), sees: ['own', 'near'] },
  ],
  DeleteSecurityGroup: [
    { before: keepGroup, input: () => ({ GroupId: GROUP }), sees: ['own', 'near'] },
  ],
  AuthorizeSecurityGroupIngress: [
    { input: ({ cloud }) => ({ GroupId: cloud.group.id, ...SSH }), sees: ['own', 'near'] },
  ],
  AuthorizeSecurityGroupEgress: [
    { input: ({ cloud }) => ({ GroupId: cloud.group.id, ...SSH }), sees: ['own', 'near'] },
  ],
  // Nothing names it.
  CreateManagedPrefixList: [
    {
      input: () => ({ PrefixListName: 'new', AddressFamily: 'IPv4', MaxEntries: 1 }),
      sees: [],
    },
  ],
  ModifyManagedPrefixList: [
    {
      when: 'entries',
      before: keepNamedList,
      input: () => ({ PrefixListId: LIST, RemoveEntries: [{ Cidr: '192.0.2.0/24' }] }),
      sees: ['own', 'near'],
    },
    {
      when: 'entries of one that no rule names',
      before: keepList,
      input: () => ({ PrefixListId: LIST, AddEntries: [{ Cidr: '10.0.0.0/8' }] }),
      sees: [],
    },
    {
      when: 'size and name',
      before: keepNamedList,
      input: () => ({ PrefixListId: LIST, MaxEntries: 3, PrefixListName: 'x' }),
      sees: [],
    },
  ],
  RestoreManagedPrefixListVersion: [
    {
      before: keepNamedList,
      input: () => ({ PrefixListId: LIST, PreviousVersion: 1, CurrentVersion: 2 }),
      sees: ['own', 'near'],
    },
  ],
  DeleteManagedPrefixList: [{ before: keepList, input: () => ({ PrefixListId: LIST }), sees: [] }],
  RevokeSecurityGroupIngress: [
    {
      input: ({ cloud }) => ({ GroupId: cloud.group.id, ...fromMembers(cloud) }),
      sees: ['own', 'near'],
    },
  ],
  RevokeSecurityGroupEgress: [
    {
      input: ({ cloud }) => ({ GroupId: cloud.group.id, IpProtocol: '-1', CidrIp: '0.0.0.0/0' }),
      sees: ['own', 'near'],
    },
  ],
  ModifySecurityGroupRules: [
    {
      before: keepRule,
      input: ({ cloud }) => ({
        GroupId: cloud.group.id,
        SecurityGroupRules: [
          {
            SecurityGroupRuleId: RULE,
            SecurityGroupRule: {
              IpProtocol: 'udp',
              FromPort: 53,
              ToPort: 53,
              CidrIpv4: '0.0.0.0/0',
            },
          },
        ],
      }),
      sees: ['own', 'near'],
    },
  ],
  // A description lets nothing else pass.
  UpdateSecurityGroupRuleDescriptionsIngress: [
    {
      before: keepRule,
      input: ({ cloud }) => ({
        GroupId: cloud.group.id,
        SecurityGroupRuleDescriptions: [{ SecurityGroupRuleId: RULE, Description: 'new' }],
      }),
      sees: [],
      rungInVain: ['own', 'near'],
    },
  ],
  UpdateSecurityGroupRuleDescriptionsEgress: [
    {
      input: ({ cloud }) => ({
        GroupId: cloud.group.id,
        IpPermissions: [
          { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0', Description: 'all' }] },
        ],
      }),
      sees: [],
      rungInVain: ['own', 'near'],
    },
  ],
  // A running instance keeps the key that it was launched with.
  CreateKeyPair: [{ input: () => ({ KeyName: 'key', KeyType: 'ed25519' }), sees: [] }],
  ImportKeyPair: [
    {
      input: () => ({
        KeyName: 'key',
        PublicKeyMaterial: Buffer.from(PUBLIC_KEY).toString('base64'),
      }),
      sees: [],
    },
  ],
  DeleteKeyPair: [{ input: () => ({ KeyName: 'none' }), sees: [] }],
}

async function announceEnd(cloud: Cloud, instance: InstanceId): Promise<void> {
  const of = { account: ALICE, resource: instance, resourceType: 'instance' }
  await cloud.store.change(async (tx) => {
    await tx.putTags([{ ...of, key: TTL_TAG, value: IN_A_YEAR.toISOString() }])
    await tx.putLever({ ...LEVER, instance })
  })
}

const GROUP = numbered('sg', 7)
const SSH = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, CidrIp: '192.0.2.0/24' }

function fromMembers({ group }: Cloud) {
  return { IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: group.id }] }] }
}

const RULE = numbered('sgr', 7)

const LIST = numbered('pl', 7)

/** A list of two versions, which no rule names. */
async function keepList({ cloud: { store, group } }: Fixture): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertPrefixList({
      ...{ id: LIST, account: group.account, name: 'kept', addressFamily: 'IPv4', maxEntries: 2 },
      ...{ version: 2, state: 'create-complete' },
    })
    const added = [{ cidr: '192.0.2.0/24', description: '' }]
    await tx.putPrefixListEntries({ id: LIST, version: 2, removed: [], added })
  })
}

async function keepNamedList(fixture: Fixture): Promise<void> {
  await keepList(fixture)
  const { group, store } = fixture.cloud
  await store.change((tx) =>
    tx.insertGroupRule({
      ...{ id: RULE, group: group.id, vpc: group.vpc, account: group.account, egress: false },
      ...{ protocol: 6, fromPort: 22, toPort: 22, peer: { kind: 'list', list: LIST } },
      description: '',
    }),
  )
}

async function keepRule({ cloud: { store, group } }: Fixture): Promise<void> {
  await store.change((tx) =>
    tx.insertGroupRule({
      id: RULE,
      group: group.id,
      vpc: group.vpc,
      account: group.account,
      egress: false,
      protocol: 6,
      fromPort: 22,
      toPort: 22,
      peer: { kind: 'ipv4', cidr: cidr('192.0.2.0/24') },
      description: '',
    }),
  )
}

async function keepGroup({ cloud: { store, group } }: Fixture): Promise<void> {
  await store.change((tx) => tx.insertGroup({ ...group, id: GROUP, name: 'kept' }))
}

const VPC = numbered('vpc', 7)
const SUBNET = numbered('subnet', 7)
const OTHER_ZONE = 'atoll-1b'

async function keepVpc({ cloud: { store, vpc } }: Fixture): Promise<void> {
  const kept = { ...vpc, id: VPC, cidr: cidr('10.7.0.0/16'), isDefault: false }
  await store.change((tx) => insertWholeVpc(tx, kept, newIds(randomBytes)))
}

/** With a network of its own and a further range. */
const RANGE = numbered('vpc-cidr-assoc', 8)

async function keepOwnVpc({ cloud: { store, vpc } }: Fixture): Promise<void> {
  const more = [{ id: RANGE, cidr: cidr('10.9.0.0/16') }]
  const kept = { ...vpc, id: VPC, cidr: cidr('10.7.0.0/16'), isDefault: false, network: 7 }
  await store.change((tx) => insertWholeVpc(tx, { ...kept, moreCidrs: more }, newIds(randomBytes)))
}

/** Two VPCs with networks of their own, and a connection of them. */
const PEER_VPCS = [numbered('vpc', 8), numbered('vpc', 9)] as const
const PEERING = numbered('pcx', 8)

async function keepPeering(
  { cloud: { store, vpc } }: Fixture,
  state: 'pending-acceptance' | 'active' | null,
): Promise<void> {
  const [a, b] = PEER_VPCS.map((id, at) => ({
    ...{ ...vpc, id, isDefault: false },
    ...{ network: 8 + at, cidr: cidr(`10.${8 + at}.0.0/16`) },
  }))
  if (a === undefined || b === undefined) throw new Error('there are two VPCs')
  const side = (one: typeof a) => ({
    ...{ account: one.account, vpc: one.id, cidr: one.cidr, showsPrivate: false },
  })
  await store.change(async (tx) => {
    for (const one of [a, b]) await insertWholeVpc(tx, one, newIds(randomBytes))
    if (state !== null)
      await tx.insertVpcPeering({
        ...{ id: PEERING, requester: side(a), accepter: side(b), state, reason: '' },
        ...{ createdAt: '2026-11-22T07:00:00Z', expiresAt: '2026-11-29T07:00:00Z', endedAt: null },
      })
  })
}

async function keepSubnet({ cloud: { store, subnet } }: Fixture): Promise<void> {
  const kept = { ...subnet, id: SUBNET, cidr: cidr('172.31.64.0/20'), isDefault: false }
  await store.change((tx) => tx.insertSubnet(kept))
}

const GATEWAY = numbered('igw', 7)
const NAT_GATEWAY = numbered('nat', 7)
const TABLE = numbered('rtb', 7)
const TABLE_ASSOCIATION = numbered('rtbassoc', 7)
const ACL = numbered('acl', 7)

const mainRoute = (vpc: VpcId) => ({
  RouteTableId: derivedId('rtb', vpc),
  DestinationCidrBlock: '0.0.0.0/0',
})
const aclEntry = (vpc: VpcId) => ({
  NetworkAclId: derivedId('acl', vpc),
  RuleNumber: 100,
  Egress: false,
  Protocol: '-1',
  CidrBlock: '0.0.0.0/0',
})

async function keepGateway({ cloud: { store } }: Fixture): Promise<void> {
  await store.change((tx) => tx.insertInternetGateway({ id: GATEWAY, account: ALICE, vpc: null }))
}

async function detachOwn({ cloud: { store }, vpc }: Fixture): Promise<void> {
  const id = derivedId('igw', vpc) as typeof GATEWAY
  await store.change((tx) => tx.detachInternetGateway(id, { vpc }))
}

async function keepNatGateway({ cloud: { store, subnet } }: Fixture): Promise<void> {
  const of = { account: ALICE, vpc: subnet.vpc, subnet: subnet.id }
  const createdAt = '2026-11-22T08:00:00.000Z'
  await store.change((tx) => tx.insertNatGateway({ id: NAT_GATEWAY, ...of, createdAt }))
}

async function keepTable({ cloud: { store }, vpc }: Fixture): Promise<void> {
  await store.change((tx) => tx.insertRouteTable({ id: TABLE, account: ALICE, vpc }))
}

async function keepAcl({ cloud: { store }, vpc }: Fixture): Promise<void> {
  await store.change((tx) =>
    tx.insertNetworkAcl({ id: ACL, account: ALICE, vpc, isDefault: false }),
  )
}

const DHCP_SET = numbered('dopt', 7)
const DHCP_OPTIONS = { DhcpConfigurations: [{ Key: 'domain-name', Values: ['corp.example'] }] }

async function keepTemplate({ cloud: { store } }: Fixture): Promise<void> {
  await store.change(async (tx) => {
    const of = { account: ALICE, createdAt: '2026-11-22T08:00:00.000Z', createdBy: 'alice' }
    const versions = { defaultVersion: 1, latestVersion: 2, lastVersion: 2 }
    await tx.insertLaunchTemplate({ ...of, ...versions, id: TEMPLATE, name: 'web' })
    for (const version of [1, 2])
      await tx.insertLaunchTemplateVersion({
        ...{ ...of, template: TEMPLATE, version, request: `${version}`, description: '', data: {} },
      })
  })
}

async function keepPlacementGroup({ cloud: { store } }: Fixture): Promise<void> {
  await store.change(async (tx) => {
    const of = { account: ALICE, createdAt: '2026-11-22T08:00:00.000Z', members: 0, zone: null }
    const cluster = { strategy: 'cluster', spreadLevel: null, partitionCount: null } as const
    await tx.insertPlacementGroup({ ...of, ...cluster, id: numbered('pg', 1), name: 'near' })
  })
}

async function keepFlowLog({ cloud: { store, vpc } }: Fixture): Promise<void> {
  await store.change((tx) =>
    tx.insertFlowLog({
      ...{ id: FLOW_LOG, account: vpc.account, vpc: vpc.id, resource: vpc.id },
      ...{ trafficType: 'ALL', destination: { kind: 'files', group: 'web' } },
      ...{
        fields: DEFAULT_FIELDS,
        aggregationSeconds: 60,
        createdAt: '2026-11-22T08:00:00.000Z',
        role: null,
      },
    }),
  )
}

async function keepDhcpOptions({ cloud: { store, vpc } }: Fixture): Promise<void> {
  const said = { domainNames: ['corp.example'], nameServers: [], timeServers: [] }
  const set = { id: DHCP_SET, account: vpc.account, ...said }
  await store.change((tx) => tx.insertDhcpOptions(set))
}

async function keepZone({ cloud: { store } }: Fixture): Promise<void> {
  const row = { ...hostRow('elsewhere', NONE), zone: OTHER_ZONE }
  await store.change((tx) => tx.upsertHost(row, 60_000))
}

const FLOW_LOG = numbered('fl', 1)

const ADDRESS: Address = {
  id: numbered('eipalloc', 1),
  account: ALICE,
  ip: ipv4('203.0.113.9'),
  pool: 'public',
  isAutomatic: false,
  association: null,
  createdAt: '2026-11-22T08:00:00.000Z',
}

async function keepAddress({ cloud: { store } }: Fixture, instance?: InstanceId): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertAddress(ADDRESS)
    if (instance === undefined) return
    const [nic] = await tx.nics({ instances: [instance] })
    if (nic === undefined) throw new Error('an instance has a NIC')
    const association = { id: numbered('eipassoc', 1), nic: nic.id, privateIp: nic.ip }
    await tx.associateAddress(ADDRESS.id, association)
  })
}

/** A NIC in the first VPC that is attached to nothing. */
async function keepNic({ cloud }: Fixture): Promise<void> {
  const { subnet, group } = cloud
  await cloud.store.change((tx) =>
    tx.insertNic({
      ...nicRecord(numbered('i', 900), 900),
      instance: null,
      account: ALICE,
      vpc: subnet.vpc,
      subnet: subnet.id,
      ip: cidrAddress(subnet.cidr, 900),
      groups: [group.id],
    }),
  )
}

async function attachNic({ cloud, plain }: Fixture): Promise<void> {
  const place = { instance: plain, deviceIndex: 1, attachment: ATTACHMENT }
  await cloud.store.change((tx) => tx.attachNic({ id: LOOSE, vpc: cloud.vpc.id }, place))
}

const KEPT = numbered('ami', 8)

async function keepImage({ store }: Cloud, host: HostName): Promise<void> {
  await store.change(async (tx) => {
    const location = `atoll://${host}/container/${KEPT}`
    await tx.insertImage({ ...image, id: KEPT, account: ALICE, name: 'kept', host, location })
  })
}

async function keepVolume({ store }: Cloud, host: HostName): Promise<void> {
  const volume = volumeRecord(
    9,
    { id: numbered('i', 1), host },
    { account: ALICE, instance: null, state: 'available' },
  )
  await store.change((tx) => tx.insertVolume(volume))
}

async function openFixture(): Promise<Fixture> {
  const capacities = PLACES.map((place) => (place === 'free' ? ROOM : NONE))
  const ranges = [{ first: ipv4('203.0.113.9'), last: ipv4('203.0.113.19') }]
  const pools = [{ name: 'public', ranges, zones: null }]
  const defaultNetwork = { vpc: cidr('10.200.0.0/16'), subnet: cidr('10.200.0.0/20') }
  const cloud = await openCloud({ hosts: capacities, settings: { defaultNetwork, pools } })
  const named = (number: number) => hostRow(`host${number + 1}`, NONE).name
  const hosts = Object.fromEntries(
    PLACES.map((place, at) => [place, named(at)]),
  ) as Fixture['hosts']
  const other = {
    ...network.vpc,
    id: numbered('vpc', 2),
    account: ALICE,
    cidr: cidr('10.9.0.0/16'),
  }
  const otherSubnet = {
    ...network.subnet,
    id: numbered('subnet', 2),
    vpc: other.id,
    account: ALICE,
    cidr: cidr('10.9.0.0/20'),
    isDefault: false,
  }
  const group = { ...cloud.group, id: numbered('sg', 2), vpc: other.id }
  let number = 0
  await cloud.store.change(async (tx) => {
    await tx.insertVpc({ ...other, isDefault: false })
    await tx.insertSubnet(otherSubnet)
    await tx.insertGroup(group)
  })
  const put = async (
    host: HostName,
    [subnet, groupId]: readonly [typeof cloud.subnet, typeof group.id],
    more: Partial<Instance> = {},
  ): Promise<InstanceId> => {
    number += 1
    const id = numbered('i', 100 + number)
    const record = instanceRecord(id, host)
    await cloud.store.change(async (tx) => {
      const state = { state: 'running', claimed: true, bootSeen: 1 } as const
      await tx.insertInstance({ ...record, ...state, account: ALICE, image: cloud.image, ...more })
      await tx.insertNic({
        ...nicRecord(id, 100 + number),
        account: ALICE,
        vpc: subnet.vpc,
        subnet: subnet.id,
        ip: cidrAddress(subnet.cidr, 100 + number),
        groups: [groupId],
      })
    })
    return id
  }
  const first = [cloud.subnet, cloud.group.id] as const
  const fixture = {
    cloud,
    vpc: cloud.vpc.id,
    other: other.id,
    otherSubnet: otherSubnet.id,
    named: await put(hosts.own, first),
    plain: await put(hosts.own, first),
    stopped: await put(hosts.own, first, { state: 'stopped', wanted: 'stop' }),
    image: cloud.image,
    hosts,
  }
  await put(hosts.near, first)
  await put(hosts.far, [otherSubnet, group.id])
  await cloud.store.change((tx) =>
    tx.putTags([
      {
        account: ALICE,
        resource: fixture.named,
        resourceType: 'instance',
        key: 'Name',
        value: 'db',
      },
    ]),
  )
  return fixture
}

/** The state of one host, and its bus. */
interface Listener {
  readonly place: Place
  readonly host: HostName
  readonly reader: RecordsReader
  readonly follows: ReadonlySet<VpcId>
  readonly before: unknown
}

async function listen(fixture: Fixture, place: Place): Promise<Listener> {
  const host = fixture.hosts[place]
  const reader = createRecordsReader(fixture.cloud.store, host, systemClock)
  const snapshot = await reader.read({ fresh: true })
  const follows = new Set(snapshot.nics.flatMap((nic) => (nic.host === host ? nic.vpc : [])))
  return { place, host, reader, follows, before: shown(wantFor(host, snapshot)) }
}

/** A want without its generation, which also advances for what changes nothing else. */
function shown(want: HostWant | null): unknown {
  return want === null ? null : { ...want, local: { ...want.local, generation: 0 } }
}

function hears({ host, follows }: Listener, { rung, rungVpcs, rungAll }: Cloud['bells']): boolean {
  return rungAll.length > 0 || rung.includes(host) || rungVpcs.some((vpc) => follows.has(vpc))
}

const CHANGING = allActions.filter(({ changes }) => changes === true)
const CASES = Object.entries(ROWS).flatMap(([action, rows]) =>
  rows.map((row) => ({
    action,
    title: row.when === undefined ? action : `${action} ${row.when}`,
    row,
  })),
)

it('has a row for each action that changes something', () => {
  expect(Object.keys(ROWS).sort()).toEqual(CHANGING.map(({ name }) => name).sort())
})

describe.each(CASES)('$title', ({ action: actionName, row }) => {
  const action = allActions.find(({ name }) => name === actionName)
  let fixture: Fixture
  let listeners: readonly Listener[]

  beforeAll(async () => {
    fixture = await openFixture()
    await row.before?.(fixture)
    listeners = await Promise.all(PLACES.map((place) => listen(fixture, place)))
  })
  afterAll(() => fixture.cloud[Symbol.asyncDispose]())

  const dump = async () => {
    const { ...tables } = await fixture.cloud.store.read((tx) => tx.dump())
    return tables
  }

  it('changes nothing and rings nobody on a dry run', async () => {
    if (action === undefined) throw new Error('there is no such action')
    const before = await dump()
    const input = { ...row.input(fixture), DryRun: true }
    expect(await fixture.cloud.refusal(action, input, row.by)).toBe('DryRunOperation')
    expect(await dump()).toEqual(before)
    const { rung, rungVpcs, rungAll } = fixture.cloud.bells
    expect([...rung, ...rungVpcs, ...rungAll]).toEqual([])
  })

  it('is seen by those that are rung, and nobody else is', async () => {
    if (action === undefined) throw new Error('there is no such action')
    await fixture.cloud.run(action, row.input(fixture), row.by)
    const seeing: Place[] = []
    const rung: Place[] = []
    for (const listener of listeners) {
      const { host, place, reader, before } = listener
      const now = shown(wantFor(host, await reader.read({ fresh: false })))
      const fresh = createRecordsReader(fixture.cloud.store, host, systemClock)
      expect(now, `${place} reads on as it would read anew`).toEqual(
        shown(wantFor(host, await fresh.read({ fresh: true }))),
      )
      if (JSON.stringify(now) !== JSON.stringify(before)) seeing.push(place)
      if (hears(listener, fixture.cloud.bells)) rung.push(place)
    }
    expect(seeing.sort()).toEqual([...row.sees].sort())
    expect(rung.sort()).toEqual([...row.sees, ...(row.rungInVain ?? [])].sort())
  })
})
