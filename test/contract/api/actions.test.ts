/**
 * The actions as unmodified clients see them, over HTTP: AWS SDK for JavaScript 3 and Debian's AWS
 * CLI, with real records. The test stands for the agent and writes the facts that an agent would.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import * as ec2 from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { cidr } from '../../../src/model/addr.ts'
import { parseId } from '../../../src/model/ids.ts'
import { eventOf, TTL_TAG } from '../../../src/model/lever.ts'
import type { InstanceFact } from '../../../src/model/lifecycle.ts'
import { applyFact } from '../../../src/model/lifecycle.ts'
import { CREDENTIALS, KEY, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'
import { openTestAudit } from '../../kit/audit.ts'
import { awsEnvironment } from '../../kit/aws-environment.ts'
import { numbered } from '../../kit/records.ts'

const run = promisify(execFile)
const AWS = '/usr/bin/aws'

const SETTINGS = { region: 'atoll', credentials: CREDENTIALS, maxAttempts: 1 }

let cloud: Cloud
let api: RunningApi
let client: ec2.EC2Client
beforeAll(async () => {
  cloud = await openCloud({ hosts: [{ vcpus: 1000, memoryMiB: 1_000_000 }] })
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  // The signature's time is held against the clock, so here it must go.
  const parts = { ...cloud.parts, clock: { ...cloud.parts.clock, now: () => Date.now() } }
  api = await runApi(allActions, { parts })
  client = new ec2.EC2Client({ ...SETTINGS, endpoint: api.url })
})
afterAll(async () => {
  client.destroy()
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

/** Reports a fact of every instance that it still says something about. */
async function report(kind: 'running' | 'passed' | 'gone'): Promise<void> {
  await cloud.store.change(async (tx) => {
    for (const instance of await tx.instances({})) {
      const { id, bootCount } = instance
      const fact = factOf(kind, { instance: id, bootCount })
      const change = applyFact(instance, fact, new Date().toISOString())
      if (change === null) continue
      await tx.updateInstance(id, change)
      if (change.state === 'terminated') await tx.deleteNics(id)
    }
  })
}

function factOf(
  kind: 'running' | 'passed' | 'gone',
  boot: Pick<Extract<InstanceFact, { kind: 'running' }>, 'instance' | 'bootCount'>,
): InstanceFact {
  if (kind === 'gone') return { kind, instance: boot.instance }
  return kind === 'running' ? { kind, ...boot } : { kind: 'checked', ...boot, result: kind }
}

const AWS_ENVIRONMENT = { ...awsEnvironment(), AWS_PAGER: '' }

async function aws(...given: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await run(
    AWS,
    ['--endpoint-url', api.url, '--output', 'json', 'ec2', ...given],
    { env: AWS_ENVIRONMENT },
  )
  return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>)
}

describe('the AWS SDK for JavaScript', () => {
  it('is answered by every Describe action in shapes that it knows', async () => {
    const commands = allActions.filter(({ name }) => name.startsWith('Describe'))
    const refusals: string[] = []
    for (const { name } of commands) {
      const Command = Reflect.get(ec2, `${name}Command`) as new (input: object) => never
      const send = client.send.bind(client) as (command: never) => Promise<object>
      const answer = await send(new Command({})).catch((error: Error) => {
        refusals.push(name)
        return error
      })
      expect(answer, name).toMatchObject(
        answer instanceof Error
          ? { name: expect.stringMatching(/^MissingParameter$|^InvalidSpotDatafeed.NotFound$/) }
          : { $metadata: { httpStatusCode: 200 } },
      )
    }
    expect(commands.length - refusals.length).toBeGreaterThan(100)
    // Those of one thing must be told which.
    expect(refusals.toSorted()).toEqual([
      'DescribeFleetInstances',
      'DescribeImageAttribute',
      'DescribeInstanceAttribute',
      'DescribeLaunchTemplateVersions',
      'DescribeNetworkInterfaceAttribute',
      'DescribeSecurityGroupReferences',
      'DescribeSnapshotAttribute',
      'DescribeSpotDatafeedSubscription',
      'DescribeSpotFleetInstances',
      'DescribeStaleSecurityGroups',
      'DescribeVolumeAttribute',
      'DescribeVpcAttribute',
    ])
  })

  it('launches, waits, and terminates', async () => {
    const { Instances } = await client.send(
      new ec2.RunInstancesCommand({
        ImageId: cloud.image,
        MinCount: 1,
        MaxCount: 2,
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: '<a&b>' }] }],
      }),
    )
    const InstanceIds = (Instances ?? []).map(({ InstanceId }) => InstanceId ?? '')
    expect(InstanceIds).toHaveLength(2)
    await report('running')
    const waiting = { client, maxWaitTime: 20, minDelay: 1 }
    await ec2.waitUntilInstanceRunning(waiting, { InstanceIds })
    await report('passed')
    await ec2.waitUntilInstanceStatusOk(waiting, { InstanceIds })
    const { Reservations } = await client.send(new ec2.DescribeInstancesCommand({ InstanceIds }))
    expect(Reservations?.[0]?.Instances?.[1]).toMatchObject({
      State: { Name: 'running' },
      Tags: [{ Key: 'Name', Value: '<a&b>' }],
      LaunchTime: expect.any(Date),
    })
    await client.send(new ec2.TerminateInstancesCommand({ InstanceIds }))
    await report('gone')
    await ec2.waitUntilInstanceTerminated(waiting, { InstanceIds })
  })

  it('pages by itself', async () => {
    const input = { ImageId: cloud.image, MinCount: 17, MaxCount: 17 }
    await client.send(new ec2.RunInstancesCommand(input))
    const seen: string[] = []
    const Filters = [{ Name: 'instance-state-name', Values: ['pending'] }]
    for await (const page of ec2.paginateDescribeInstances({ client, pageSize: 5 }, { Filters }))
      for (const { Instances } of page.Reservations ?? [])
        seen.push(...(Instances ?? []).map(({ InstanceId }) => InstanceId ?? ''))
    expect(seen).toHaveLength(17)
    expect(new Set(seen).size).toBe(17)
  })

  it('gives a VPC a further range, and takes it back', async () => {
    const CidrBlock = '10.98.0.0/16'
    const VpcId = numbered('vpc', 97)
    const own = { ...cloud.vpc, id: VpcId, cidr: cidr('10.97.0.0/16'), isDefault: false }
    await cloud.store.change((tx) => tx.insertVpc({ ...own, network: 97 }))
    const added = new ec2.AssociateVpcCidrBlockCommand({ VpcId, CidrBlock })
    const { CidrBlockAssociation } = await client.send(added)
    const AssociationId = CidrBlockAssociation?.AssociationId ?? ''
    const Filters = [{ Name: 'cidr-block-association.cidr-block', Values: [CidrBlock] }]
    const shown = async () => (await client.send(new ec2.DescribeVpcsCommand({ Filters }))).Vpcs
    const set = [{ CidrBlock: '10.97.0.0/16' }, { AssociationId, CidrBlock }]
    expect(await shown()).toMatchObject([{ VpcId, CidrBlockAssociationSet: set }])
    await client.send(new ec2.DisassociateVpcCidrBlockCommand({ AssociationId }))
    expect(await shown()).toEqual([])
    await cloud.store.change((tx) => tx.deleteVpc(own))
  })

  it('is told which groups a VPC has', async () => {
    const command = new ec2.GetSecurityGroupsForVpcCommand({ VpcId: cloud.vpc.id })
    expect(await client.send(command)).toMatchObject({
      SecurityGroupForVpcs: [{ GroupId: cloud.group.id, PrimaryVpcId: cloud.vpc.id }],
    })
  })

  it('deprecates an image, and is told since when', async () => {
    const DeprecateAt = new Date('2036-01-31T18:00:00Z')
    const asked = { ImageId: cloud.image }
    await client.send(new ec2.EnableImageDeprecationCommand({ ...asked, DeprecateAt }))
    const shown = async () => {
      const command = new ec2.DescribeImagesCommand({ ImageIds: [cloud.image] })
      return (await client.send(command)).Images?.[0]?.DeprecationTime
    }
    expect(await shown()).toBe(DeprecateAt.toISOString())
    await client.send(new ec2.DisableImageDeprecationCommand(asked))
    expect(await shown()).toBeUndefined()
  })

  it('changes what is only shown of an instance', async () => {
    const { Instances } = await client.send(
      new ec2.RunInstancesCommand({ ImageId: cloud.image, MinCount: 1, MaxCount: 1 }),
    )
    const InstanceId = Instances?.[0]?.InstanceId ?? ''
    const AutoRecovery = 'default'
    const maintenance = new ec2.ModifyInstanceMaintenanceOptionsCommand({
      ...{ InstanceId, AutoRecovery },
    })
    expect(await client.send(maintenance)).toMatchObject({ InstanceId, AutoRecovery })
    const names = { InstanceId, PrivateDnsHostnameType: 'ip-name' } as const
    expect(await client.send(new ec2.ModifyPrivateDnsNameOptionsCommand(names))).toMatchObject({
      Return: true,
    })
    const reservation = { CapacityReservationPreference: 'open' } as const
    expect(
      await client.send(
        new ec2.ModifyInstanceCapacityReservationAttributesCommand({
          ...{ InstanceId, CapacityReservationSpecification: reservation },
        }),
      ),
    ).toMatchObject({ Return: true })
    const described = new ec2.DescribeInstancesCommand({ InstanceIds: [InstanceId] })
    const { Reservations } = await client.send(described)
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({
      MaintenanceOptions: { AutoRecovery },
      // What was not named stays.
      PrivateDnsNameOptions: { HostnameType: 'ip-name', EnableResourceNameDnsARecord: true },
      CapacityReservationSpecification: reservation,
    })
    await client.send(new ec2.TerminateInstancesCommand({ InstanceIds: [InstanceId] }))
  })

  it('puts off what a tag announced', async () => {
    const { Instances } = await client.send(
      new ec2.RunInstancesCommand({ ImageId: cloud.image, MinCount: 1, MaxCount: 1 }),
    )
    const id = parseId('i', Instances?.[0]?.InstanceId ?? '')
    if (id === undefined) throw new Error('it was launched')
    const dueMs = Math.trunc(Date.now() / 1000) * 1000 + 3_600_000
    const strike = { kind: 'terminate', dueMs, notBeforeMs: dueMs } as const
    const lever = { instance: id, tag: TTL_TAG, fromMs: 0, strike } as const
    const Tags = [{ Key: TTL_TAG, Value: '1h' }]
    await client.send(new ec2.CreateTagsCommand({ Resources: [id], Tags }))
    await cloud.store.change((tx) => tx.putLever(lever))
    const { Event } = await client.send(
      new ec2.ModifyInstanceEventStartTimeCommand({
        ...{ InstanceId: id, InstanceEventId: eventOf(lever, strike).id },
        NotBefore: new Date(dueMs + 1000),
      }),
    )
    expect(Event).toMatchObject({
      ...{ Code: 'instance-retirement', NotBefore: new Date(dueMs + 1000) },
    })
    await client.send(new ec2.TerminateInstancesCommand({ InstanceIds: [id] }))
  })

  it('has prefix lists, and rules that name them', async () => {
    const { PrefixList } = await client.send(
      new ec2.CreateManagedPrefixListCommand({
        ...{ PrefixListName: 'office', AddressFamily: 'IPv4', MaxEntries: 5 },
        Entries: [{ Cidr: '192.0.2.0/24', Description: 'Berlin' }],
      }),
    )
    const { PrefixListId } = PrefixList ?? {}
    const modified = await client.send(
      new ec2.ModifyManagedPrefixListCommand({
        ...{ PrefixListId, CurrentVersion: 1, AddEntries: [{ Cidr: '10.0.0.0/8' }] },
      }),
    )
    expect(modified.PrefixList).toMatchObject({ Version: 2, State: 'modify-complete' })
    const permission = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22 }
    const rule = {
      GroupId: cloud.group.id,
      IpPermissions: [{ ...permission, PrefixListIds: [{ PrefixListId }] }],
    }
    await client.send(new ec2.AuthorizeSecurityGroupIngressCommand(rule))
    const associated = await client.send(
      new ec2.GetManagedPrefixListAssociationsCommand({ PrefixListId }),
    )
    expect(associated.PrefixListAssociations).toMatchObject([{ ResourceId: cloud.group.id }])
    await client.send(
      new ec2.RestoreManagedPrefixListVersionCommand({
        ...{ PrefixListId, PreviousVersion: 1, CurrentVersion: 2 },
      }),
    )
    const paging = { client, pageSize: 1 }
    const seen: (string | undefined)[] = []
    for await (const page of ec2.paginateGetManagedPrefixListEntries(paging, {
      ...{ PrefixListId, TargetVersion: 2 },
    }))
      seen.push(...(page.Entries ?? []).map(({ Cidr }) => Cidr))
    expect(seen).toEqual(['10.0.0.0/8', '192.0.2.0/24'])
    const { Entries } = await client.send(
      new ec2.GetManagedPrefixListEntriesCommand({ PrefixListId }),
    )
    expect(Entries).toEqual([{ Cidr: '192.0.2.0/24', Description: 'Berlin' }])
    const remove = new ec2.DeleteManagedPrefixListCommand({ PrefixListId })
    await expect(client.send(remove)).rejects.toMatchObject({ name: 'DependencyViolation' })
    await client.send(new ec2.RevokeSecurityGroupIngressCommand(rule))
    await client.send(remove)
  })

  it('imports keys', async () => {
    const made = await client.send(
      new ec2.CreateKeyPairCommand({ KeyName: 'made', KeyType: 'ed25519' }),
    )
    expect(made.KeyMaterial).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/)
    const { KeyPairs } = await client.send(
      new ec2.DescribeKeyPairsCommand({ KeyNames: ['made'], IncludePublicKey: true }),
    )
    const imported = await client.send(
      new ec2.ImportKeyPairCommand({
        KeyName: 'imported',
        PublicKeyMaterial: Buffer.from(KeyPairs?.[0]?.PublicKey ?? ''),
      }),
    )
    expect(imported.KeyFingerprint).toBe(made.KeyFingerprint)
  })
})

describe.skipIf(!existsSync(AWS))('the AWS CLI', () => {
  it('goes through the life of an instance', { timeout: 120_000 }, async () => {
    const launched = await aws(
      ...['run-instances', '--image-id', cloud.image, '--count', '1:2', '--user-data', '#!/bin/sh'],
      ...['--tag-specifications', 'ResourceType=instance,Tags=[{Key=Name,Value=cli}]'],
      ...['--security-groups', 'default', '--placement', 'AvailabilityZone=atoll-1a'],
    )
    const ids = (launched['Instances'] as { InstanceId: string }[]).map((one) => one.InstanceId)
    await report('running')
    await aws('wait', 'instance-running', '--instance-ids', ...ids)
    const table = await aws(
      ...['describe-instances', '--filters', 'Name=tag:Name,Values=c?i'],
      ...['--query', 'Reservations[].Instances[].[InstanceId,State.Name]'],
    )
    expect(table).toEqual(expect.arrayContaining(ids.map((id) => [id, 'running'])))
    expect(await aws('stop-instances', '--instance-ids', ...ids)).toMatchObject({
      StoppingInstances: ids.toSorted().map(() => ({ CurrentState: { Name: 'stopping' } })),
    })
    await expect(aws('start-instances', '--instance-ids', ...ids)).rejects.toMatchObject({
      stderr: expect.stringContaining('(IncorrectInstanceState)'),
    })
    await aws('terminate-instances', '--instance-ids', ...ids)
    await report('gone')
    await aws('wait', 'instance-terminated', '--instance-ids', ...ids)
    await aws('create-tags', '--resources', cloud.image, '--tags', 'Key=os,Value=')
    expect(await aws('describe-tags', '--filters', 'Name=key,Values=os')).toEqual({
      Tags: [{ ResourceId: cloud.image, ResourceType: 'image', Key: 'os', Value: '' }],
    })
  })
})

it.skipIf(!existsSync(AWS))('tells the AWS CLI who called what', { timeout: 120_000 }, async () => {
  await using audited = await openTestAudit(cloud.store)
  const clock = { ...cloud.parts.clock, now: () => Date.now() }
  await using other = await runApi(allActions, {
    parts: { ...cloud.parts, clock, audit: audited.audit },
  })
  const made = new ec2.EC2Client({ ...SETTINGS, endpoint: other.url })
  await made.send(new ec2.CreateVpcCommand({ CidrBlock: '10.99.0.0/16' }))
  made.destroy()
  const asked = [
    'lookup-events',
    '--lookup-attributes',
    'AttributeKey=EventName,AttributeValue=CreateVpc',
  ]
  const { stdout } = await run(
    AWS,
    ['--endpoint-url', other.url, '--output', 'json', 'cloudtrail', ...asked],
    { env: AWS_ENVIRONMENT },
  )
  expect(JSON.parse(stdout).Events).toMatchObject([{ EventName: 'CreateVpc', Username: 'admin' }])
})
