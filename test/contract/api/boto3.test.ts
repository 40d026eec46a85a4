/**
 * boto3 as Debian packages it, with real records over HTTP: every filter that it documents, every
 * list and waiter that it knows, and the calls that Terraform's provider makes, up to the first
 * that is not answered.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { createKeyPair } from '../../../src/api/actions/create-key-pair.ts'
import { deletePlacementGroup } from '../../../src/api/actions/delete-placement-group.ts'
import { runInstances } from '../../../src/api/actions/run-instances.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { DEFAULT_FIELDS, formatOf } from '../../../src/model/flow-log.ts'
import { formatId, type InstanceId } from '../../../src/model/ids.ts'
import { releaseInstance } from '../../../src/store/release.ts'
import { KEY, known, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud, ZONE } from '../../kit/api-cloud.ts'
import { openTestAudit, type TestAudit } from '../../kit/audit.ts'
import { awsEnvironment } from '../../kit/aws-environment.ts'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3'
const PROGRAMS = join(import.meta.dirname, 'boto3')
const MACHINE = formatId('ami', new Uint8Array(9).fill(7))
const names = allActions.map(({ name }) => name)

let cloud: Cloud
let api: RunningApi
let audited: TestAudit
let instance: InstanceId
beforeAll(async () => {
  const pool = { first: ipv4('203.0.113.10'), last: ipv4('203.0.113.19') }
  cloud = await openCloud({
    settings: { pools: [{ name: 'public', ranges: [pool], zones: null }], vpcPlace: 'own' },
  })
  await cloud.store.change(async (tx) => {
    await tx.insertAccessKey(KEY)
    const location = 'https://images.test/debian.qcow2'
    const image = { ...known((await tx.images({}))[0]), id: MACHINE, name: 'machine', location }
    await tx.insertImage(image)
  })
  await cloud.run(createKeyPair, { KeyName: 'key' })
  const order = { ImageId: MACHINE, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
  await cloud.run(runInstances, { ...order, KeyName: 'key', UserData: btoa('#!/bin/sh\n') })
  await cloud.store.change(async (tx) => {
    const launched = known((await tx.instances({}))[0])
    const { bootCount } = launched
    const check = { bootCount, result: 'passed', since: launched.launchedAt } as const
    await tx.updateInstance(launched.id, { state: 'running', bootSeen: bootCount, check })
    instance = launched.id
  })
  audited = await openTestAudit(cloud.store)
  const clock = { ...cloud.parts.clock, now: () => Date.now() }
  const parts = { ...cloud.parts, clock, audit: audited.audit }
  const limits = { requestBurst: 1e9, requestsPerSecond: 1e9 }
  api = await runApi(allActions, { parts, limits })
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await audited[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

async function python(program: string, ...more: readonly string[]): Promise<unknown> {
  const { stdout } = await run(PYTHON, ['-B', join(PROGRAMS, program), api.url, ...more], {
    env: awsEnvironment(),
  })
  return JSON.parse(stdout)
}

describe.skipIf(!existsSync(PYTHON))('boto3', () => {
  it('may ask by every filter that it documents', { timeout: 120_000 }, async () => {
    expect(await python('filters.py', ...names)).toEqual({
      asked: expect.toSatisfy((asked: number) => asked > 700),
      // Where something is listed, so many filters match some of it with a wildcard.
      matching: expect.toSatisfy((matching: number) => matching > 200),
      byAction: expect.any(Object),
      refused: [],
      ineffective: [],
    })
  })

  it('pages through every listing and waits for what is there', { timeout: 120_000 }, async () => {
    expect(await python('listings.py', ...names)).toEqual({
      listed: expect.toSatisfy((listed: number) => listed > 60),
      waited: expect.toSatisfy((waited: number) => waited >= 14),
      wrong: [],
    })
  })

  it('makes, limits and removes users as Terraform does', { timeout: 120_000 }, async () => {
    const said = (await python('iam.py', instance)) as { decoded: string }
    const { decoded, ...rest } = said
    expect(rest).toEqual({
      made: ['dev', '/', 'arn:aws:iam::000000000001:user/dev', 'AIDA', 'EntityAlreadyExists'],
      userTags: [
        [{ Key: 'a', Value: '1' }],
        [{ Key: 'A', Value: '2' }],
        [{ Key: 'A', Value: '2' }],
      ],
      ownPolicy: {
        arn: 'arn:aws:iam::000000000001:policy/team/own',
        read: ['v1', 1, 'd', [{ Key: 'a', Value: 'b' }], 'v2'],
        ...{ document: true, versions: ['v2', 'v1'], local: true, attached: ['own'] },
        rights: ['OK', 'UnauthorizedOperation', 'OK', 'UnauthorizedOperation'],
        held: ['DeleteConflict', 'DeleteConflict', 'DeleteConflict'],
        ...{ cloud: 'AccessDenied', gone: 'NoSuchEntity' },
      },
      nothing: [
        ...['UnauthorizedOperation', 'UnauthorizedOperation', 'AccessDenied'],
        'arn:aws:iam::000000000001:user/dev',
      ],
      reading: ['OK', 'UnauthorizedOperation'],
      wrong: 'MalformedPolicyDocument',
      document: true,
      tags: ['UnauthorizedOperation', 'DryRunOperation'],
      own: [[true], 'AccessDenied', 'dev'],
      held: [
        'DeleteConflict',
        'Cannot delete entity, must delete policies first.',
        'Cannot delete entity, must detach all policies first.',
        'Login Profile for User dev cannot be found.',
      ],
      removal: [
        ...[[], [], [], [], [], [], [], [], []],
        ...['NoSuchEntity', 'OK', 'AccessDenied', 'NoSuchEntity'],
      ],
      switched: ['AuthFailure', 'OK'],
      listed: {
        ...{ inline: ['team'], attached: ['AmazonEC2ReadOnlyAccess'], groups: [], aliases: [] },
        ...{ users: ['admin', 'dev'], managed: 5, document: 'Allow' },
      },
      gone: 'NoSuchEntity',
      admin: ['admin', 'UnmodifiableEntity'],
    })
    expect(decoded).toContain('is not authorized to perform: ec2:TerminateInstances')
  })

  it('looks up who called what', { timeout: 120_000 }, async () => {
    expect(await python('audit.py')).toEqual({
      refused: ['InvalidGroup.Duplicate', 'AccessDeniedException'],
      of_group: ['DeleteSecurityGroup', 'CreateTags', 'CreateSecurityGroup'],
      view: ['CreateSecurityGroup', 'false', 'ec2.amazonaws.com', 'admin', KEY.id],
      ...{ resources: true, time: true, detail: [true, '127.0.0.1', true], ours: true },
      by: {
        EventId: ['CreateSecurityGroup'],
        EventName: ['CreateTags'],
        EventSource: ['CreateAccessKey', 'CreateUser'],
        ReadOnly: ['DeleteSecurityGroup'],
        ResourceType: ['DeleteSecurityGroup'],
        Username: [],
        AccessKeyId: true,
      },
      times: [0, 0],
      secret: false,
      wrong: [
        ...['InvalidTimeRangeException', 'InvalidLookupAttributesException'],
        ...['InvalidNextTokenException', 'InvalidNextTokenException'],
        'InvalidEventCategoryException',
      ],
    })
  })

  it('makes, changes and removes security groups as Terraform does', {
    timeout: 120_000,
  }, async () => {
    expect(await python('groups.py')).toEqual({
      terraform: {
        noRule: 'InvalidPermission.NotFound',
        again: 'InvalidPermission.Duplicate',
        in: [['tcp', 80, 80, [{ CidrIp: '10.0.0.0/8', Description: 'inside' }]]],
        out: [['-1', null, [{ CidrIp: '0.0.0.0/0' }]]],
        left: [],
        gone: 'InvalidGroup.NotFound',
      },
      flat: ['icmp', 'tcp', 'tcp', 'udp'],
      changed: [23, '198.51.100.0/24', 'new', 'office', 'all'],
      ofNic: { byInstance: ['nic'], used: 'DependencyViolation', byNic: ['default', 'nic'] },
    })
  })

  it('makes, uses and removes a VPC as Terraform does', { timeout: 120_000 }, async () => {
    const made = (await python('vpcs.py', MACHINE)) as { made: readonly string[] }
    expect(made).toEqual({
      vpc: {
        block: '10.8.0.0/16',
        tenancy: 'default',
        tags: [{ Key: 'Name', Value: 'blue' }],
        enableDnsHostnames: true,
        enableDnsSupport: true,
        enableNetworkAddressUsageMetrics: false,
      },
      subnet: ['10.8.1.0/24', 251, false, false],
      launched: [true, true, 'web'],
      overlap: 'InvalidSubnet.Conflict',
      flowLogs: [
        {
          ResourceId: made.made[2],
          TrafficType: 'ALL',
          LogDestination: 'arn:aws:s3:::logs/net',
          LogFormat: formatOf(DEFAULT_FIELDS),
          Tags: [{ Key: 'Name', Value: 'all' }],
        },
        'InvalidFlowLogId.NotFound',
      ],
      dhcp: {
        said: {
          'domain-name': ['corp.example'],
          'domain-name-servers': ['10.8.1.53', 'AmazonProvidedDNS'],
        },
        used: 'DependencyViolation',
        gone: 'InvalidDhcpOptionID.NotFound',
      },
      inUse: {
        vpc: 'DependencyViolation',
        subnet: 'DependencyViolation',
        group: 'DependencyViolation',
        defaultGroup: 'CannotDelete',
      },
      made: [expect.any(String), expect.any(String), expect.any(String)],
    })
    await cloud.store.change(async (tx) => {
      const [gone] = await tx.instances({ ids: [made.made[0] as InstanceId] })
      await releaseInstance(tx, known(gone))
      await tx.updateInstance(known(gone).id, { state: 'terminated' })
    })
    expect(await python('vpcs.py', MACHINE, ...made.made)).toEqual({
      held: ['DependencyViolation', 'DependencyViolation'],
      gone: ['InvalidVpcID.NotFound', 'InvalidSubnetID.NotFound', 'InvalidVpcID.NotFound'],
      groups: [],
      tags: [],
    })
  })

  it('makes, changes and removes gateways, routes and ACLs as Terraform does', {
    timeout: 120_000,
  }, async () => {
    const web = [false, 100, '6', 'allow', { From: 80, To: 80 }]
    const everything = [true, 100, '-1', 'allow', null]
    expect(await python('routes.py')).toEqual({
      routes: {
        read: [
          ['10.9.0.0/16', 'local', 'active'],
          ['0.0.0.0/0', expect.stringMatching(/^igw-/), 'active'],
        ],
        again: 'RouteAlreadyExists',
        missing: 'InvalidRoute.NotFound',
      },
      associations: { held: 'DependencyViolation', gone: 'InvalidAssociationID.NotFound' },
      acl: {
        entries: [everything, web],
        replaced: [everything, [false, 100, '6', 'deny', { From: 80, To: 81 }]],
        again: 'NetworkAclEntryAlreadyExists',
        held: 'DependencyViolation',
        gone: 'InvalidNetworkAclID.NotFound',
      },
      nat: {
        missing: 'InvalidAllocationID.NotFound',
        again: 'Resource.AlreadyAssociated',
        held: ['InvalidIPAddress.InUse', 'DependencyViolation', 'AuthFailure'],
        over: 'InvalidAssociationID.NotFound',
        read: ['available', 'public'],
        routed: ['0.0.0.0/0', expect.stringMatching(/^nat-/), 'active'],
        lost: ['0.0.0.0/0', expect.stringMatching(/^nat-/), 'blackhole'],
        gone: 'NatGatewayNotFound',
      },
      held: 'DependencyViolation',
      vpc: 'DependencyViolation',
      gone: [
        'InvalidInternetGatewayID.NotFound',
        'InvalidRouteTableID.NotFound',
        'InvalidInternetGatewayID.NotFound',
      ],
    })
  })

  it('allocates, associates and releases addresses as Terraform does', {
    timeout: 120_000,
  }, async () => {
    expect(await python('addresses.py', instance)).toEqual({
      terraform: {
        domain: 'vpc',
        attributes: [null],
        used: 'InvalidIPAddress.InUse',
        moved: 'Resource.AlreadyAssociated',
        gone: ['InvalidAssociationID.NotFound', 'InvalidAllocationID.NotFound'],
        inUse: true,
      },
      pools: [['public', 10, 10]],
      launched: ['amazon', 'InvalidAddress.NotFound'],
    })
  })

  it('launches from templates into placement groups, and shares and copies images', {
    timeout: 120_000,
  }, async () => {
    const said = (await python('templates.py', MACHINE)) as { instance: InstanceId }
    expect(said).toEqual({
      group: ['available', 'spread', 'rack', true],
      read: ['first', true, true],
      found: [2, 2, [{ Key: 'team', Value: 'a' }]],
      paged: [2, 1],
      launched: ['t3.micro', 'apart', 'required', true],
      // The only host has a member of the group.
      full: 'InsufficientInstanceCapacity',
      copied: ['t3.micro', 'apart'],
      inUse: 'InvalidPlacementGroup.InUse',
      deleted: [[1], [2]],
      gone: 'InvalidLaunchTemplateId.NotFound',
      image: [[{ UserId: '111122223333' }], [], 'a copy'],
      instance: said.instance,
    })
    await cloud.store.change(async (tx) => {
      const [gone] = await tx.instances({ ids: [said.instance] })
      await releaseInstance(tx, known(gone))
      await tx.updateInstance(known(gone).id, { state: 'terminated' })
    })
    await cloud.run(deletePlacementGroup, { GroupName: 'apart' })
  })

  it('makes, attaches and removes network interfaces as Terraform does', {
    timeout: 120_000,
  }, async () => {
    const said = (await python('nics.py', instance)) as {
      launched: { instance: InstanceId; kept: string; second: string }
    }
    const { launched } = said
    expect(said).toEqual({
      made: ['available', 'made by a story', 2, true, 'interface', false],
      updated: {
        description: 'changed',
        check: false,
        groups: true,
        tags: [{ Key: 'Name', Value: 'eni' }],
        same: true,
      },
      attached: {
        // No host runs here that reports it as plugged in.
        status: ['in-use', 'attaching', 1, true],
        interfaces: [0, 1],
        refused: {
          twice: 'InvalidNetworkInterface.InUse',
          index: 'InvalidParameterValue',
          many: 'AttachmentLimitExceeded',
          inUse: 'InvalidParameterValue',
          first: 'OperationNotPermitted',
          addresses: 'PrivateIpAddressLimitExceeded',
        },
        gone: 'InvalidAttachmentID.NotFound',
        after: false,
      },
      groups: [true, true],
      destroyed: ['InvalidNetworkInterfaceID.NotFound', 'InvalidNetworkInterfaceID.NotFound'],
      launched: {
        ...launched,
        fates: [false, true],
        taken: 'InvalidNetworkInterface.InUse',
      },
    })
    await cloud.store.change(async (tx) => {
      const [gone] = await tx.instances({ ids: [launched.instance] })
      await releaseInstance(tx, known(gone))
      await tx.updateInstance(known(gone).id, { state: 'terminated' })
    })
    expect(await python('nics.py', instance, launched.kept, launched.second)).toEqual([
      'available',
      'InvalidNetworkInterfaceID.NotFound',
    ])
  })

  it('is answered whatever Terraform asks', { timeout: 120_000 }, async () => {
    const read = (await python('terraform.py', instance)) as Record<string, unknown>
    expect(read).toEqual({
      instance: {
        vpc: cloud.vpc.id,
        subnet: cloud.subnet.id,
        monitoring: 'disabled',
        metadata: 'required',
        volumeSize: expect.any(Number),
        disableApiTermination: false,
        disableApiStop: false,
        shutdown: 'stop',
        userData: '#!/bin/sh\n',
        credit: 'InstanceCreditSpecification.NotSupported',
        password: '',
      },
      vpc: {
        attributes: {
          enableDnsHostnames: true,
          enableDnsSupport: true,
          enableNetworkAddressUsageMetrics: false,
        },
        routes: [
          ['172.31.0.0/16', 'local', 'active'],
          ['0.0.0.0/0', 'igw', 'active'],
        ],
        acl: [
          [false, 100, 'allow'],
          [false, 32_767, 'deny'],
          [true, 100, 'allow'],
          [true, 32_767, 'deny'],
        ],
        options: { 'domain-name': 'atoll.internal', 'domain-name-servers': 'AmazonProvidedDNS' },
        rules: [
          [false, '-1', cloud.group.id],
          [true, '-1', '0.0.0.0/0'],
        ],
        subnets: [cloud.subnet.id],
      },
      image: [MACHINE, '2026-11-22T08:00:00.000Z', []],
      rest: {
        zones: 1,
        offered: [ZONE],
        encrypted: false,
        addresses: [],
        nats: [],
        peerings: [],
        endpoints: [],
        snapshots: [],
        templates: [],
        groups: [],
        address: 'InvalidAllocationID.NotFound',
        template: 'InvalidLaunchTemplateName.NotFoundException',
        group: 'InvalidPlacementGroup.Unknown',
      },
    })
  })

  it('peers VPCs as Terraform does', { timeout: 120_000 }, async () => {
    expect(await python('peering.py')).toEqual({
      first: 'pending-acceptance',
      days: 7,
      status: { Code: 'active', Message: 'Active' },
      blocks: ['10.20.0.0/16', '10.21.0.0/16'],
      options: false,
      tags: [{ Key: 'Name', Value: 'both' }],
      found: true,
      again: 'VpcPeeringConnectionAlreadyExists',
      after: 'deleted',
      missing: 'InvalidVpcPeeringConnectionID.NotFound',
    })
  })
})
