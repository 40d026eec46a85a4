import type { LaunchTemplate, LaunchTemplateVersion, Reservation } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import {
  createLaunchTemplate,
  createLaunchTemplateVersion,
} from '../../../../src/api/actions/create-launch-template.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import {
  deleteLaunchTemplate,
  deleteLaunchTemplateVersions,
} from '../../../../src/api/actions/delete-launch-template.ts'
import { deleteTags } from '../../../../src/api/actions/delete-tags.ts'
import { describeLaunchTemplateVersions } from '../../../../src/api/actions/describe-launch-template-versions.ts'
import { describeLaunchTemplates } from '../../../../src/api/actions/describe-launch-templates.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { getLaunchTemplateData } from '../../../../src/api/actions/get-launch-template-data.ts'
import { modifyLaunchTemplate } from '../../../../src/api/actions/modify-launch-template.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

async function make(cloud: Cloud, more: object = {}): Promise<LaunchTemplate> {
  const LaunchTemplateData = { ImageId: cloud.image, InstanceType: 't3.micro' }
  const asked = { LaunchTemplateName: 'web', LaunchTemplateData, ...more }
  return (await cloud.run(createLaunchTemplate, asked))['LaunchTemplate'] as LaunchTemplate
}

async function version(cloud: Cloud, more: object): Promise<LaunchTemplateVersion> {
  const asked = { LaunchTemplateName: 'web', ...more }
  const { LaunchTemplateVersion: made } = await cloud.run(createLaunchTemplateVersion, asked)
  return made as LaunchTemplateVersion
}

async function versions(cloud: Cloud, more: object = {}): Promise<readonly unknown[]> {
  const asked = { LaunchTemplateName: 'web', ...more }
  const { LaunchTemplateVersions: found } = await cloud.run(describeLaunchTemplateVersions, asked)
  return (found as LaunchTemplateVersion[]).map(({ VersionNumber }) => VersionNumber)
}

describe('launch templates', () => {
  it('are made, listed, changed and deleted', async () => {
    await using cloud = await openCloud()
    const Tags = [{ Key: 'team', Value: 'a' }]
    const TagSpecifications = [{ ResourceType: 'launch-template', Tags }]
    const made = await make(cloud, { VersionDescription: 'first', TagSpecifications })
    expect(made).toMatchObject({
      LaunchTemplateId: expect.stringMatching(/^lt-[0-9a-f]{17}$/),
      LaunchTemplateName: 'web',
      CreatedBy: 'arn:aws:iam::000000000001:user/admin',
      DefaultVersionNumber: 1,
      LatestVersionNumber: 1,
      Tags,
    })
    const list = async (asked: object = {}) =>
      (await cloud.run(describeLaunchTemplates, asked))['LaunchTemplates']
    const byTag = { Filters: [{ Name: 'tag:team', Values: ['a*'] }] }
    expect(await list(byTag)).toEqual([made])
    expect(await list({ LaunchTemplateNames: ['web'] })).toEqual([made])
    expect(await list({ LaunchTemplateIds: [made.LaunchTemplateId] })).toEqual([made])
    const second = await version(cloud, {
      SourceVersion: '1',
      LaunchTemplateData: { InstanceType: 't3.small' },
    })
    expect(second).toMatchObject({
      VersionNumber: 2,
      DefaultVersion: false,
      LaunchTemplateData: { ImageId: cloud.image, InstanceType: 't3.small' },
    })
    expect(await versions(cloud)).toEqual([2, 1])
    expect(await versions(cloud, { Versions: ['$Latest', '$Default'] })).toEqual([2, 1])
    expect(await versions(cloud, { MinVersion: '2' })).toEqual([2])
    const filter = { Name: 'instance-type', Values: ['*.small'] }
    expect(await versions(cloud, { Filters: [filter] })).toEqual([2])
    const set = { LaunchTemplateId: made.LaunchTemplateId, DefaultVersion: '$Latest' }
    expect(await cloud.run(modifyLaunchTemplate, set)).toMatchObject({
      LaunchTemplate: { DefaultVersionNumber: 2, LatestVersionNumber: 2 },
    })
    const Versions = ['1', '2', '7']
    const asked = { LaunchTemplateName: 'web', Versions }
    expect(await cloud.run(deleteLaunchTemplateVersions, asked)).toMatchObject({
      SuccessfullyDeletedLaunchTemplateVersions: [{ VersionNumber: 1 }],
      UnsuccessfullyDeletedLaunchTemplateVersions: [
        { VersionNumber: 2, ResponseError: { Code: 'unexpectedError' } },
        { VersionNumber: 7, ResponseError: { Code: 'launchTemplateVersionDoesNotExist' } },
      ],
    })
    const gone = await cloud.run(deleteLaunchTemplate, { LaunchTemplateName: 'web' })
    expect(gone).toMatchObject({ LaunchTemplate: { LaunchTemplateName: 'web', Tags } })
    expect(await list()).toEqual([])
    expect(await cloud.run(describeTags)).toEqual({ Tags: [] })
  })

  it('never use a version number again', async () => {
    await using cloud = await openCloud()
    await make(cloud)
    const LaunchTemplateData = { InstanceType: 't3.small' }
    await version(cloud, { LaunchTemplateData })
    await cloud.run(deleteLaunchTemplateVersions, { LaunchTemplateName: 'web', Versions: ['2'] })
    expect(await cloud.run(describeLaunchTemplates)).toMatchObject({
      LaunchTemplates: [{ LatestVersionNumber: 1 }],
    })
    expect(await version(cloud, { LaunchTemplateData })).toMatchObject({ VersionNumber: 3 })
  })

  it('get different numbers from versions that are made at once', async () => {
    await using cloud = await openCloud()
    await make(cloud)
    const LaunchTemplateData = { InstanceType: 't3.small' }
    const made = Array.from({ length: 8 }, () => version(cloud, { LaunchTemplateData }))
    const numbers = (await Promise.all(made)).map(({ VersionNumber = 0 }) => VersionNumber)
    expect(numbers.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('are made once for one token', async () => {
    await using cloud = await openCloud()
    const first = await make(cloud, { ClientToken: 'one' })
    expect(await make(cloud, { ClientToken: 'one' })).toEqual(first)
    const asked = { LaunchTemplateData: { InstanceType: 't3.small' }, ClientToken: 'two' }
    const second = await version(cloud, asked)
    expect(await version(cloud, asked)).toEqual(second)
    expect(await versions(cloud)).toEqual([2, 1])
  })

  it('refuse what is malformed, taken or missing', async () => {
    await using cloud = await openCloud()
    await make(cloud)
    const data = { LaunchTemplateData: { ImageId: cloud.image } }
    const refusals: Record<string, string> = {}
    for (const [what, asked] of Object.entries({
      short: { LaunchTemplateName: 'ab', ...data },
      letters: { LaunchTemplateName: 'a b!', ...data },
      taken: { LaunchTemplateName: 'web', ...data },
      empty: { LaunchTemplateName: 'other' },
      unknown: {
        LaunchTemplateName: 'other',
        LaunchTemplateData: { InstanceRequirements: { a: 1 } },
      },
      malformed: { LaunchTemplateName: 'other', LaunchTemplateData: { ImageId: 'x' } },
      tag: {
        ...{ LaunchTemplateName: 'other', ...data },
        TagSpecifications: [{ ResourceType: 'instance', Tags: [] }],
      },
      large: {
        LaunchTemplateName: 'other',
        LaunchTemplateData: { SecurityGroups: Array.from({ length: 300 }, () => 'x'.repeat(250)) },
      },
    }))
      refusals[what] = await cloud.refusal(createLaunchTemplate, asked)
    expect(refusals).toEqual({
      short: 'InvalidLaunchTemplateName.MalformedException',
      letters: 'InvalidLaunchTemplateName.MalformedException',
      taken: 'InvalidLaunchTemplateName.AlreadyExistsException',
      empty: 'MissingParameter',
      unknown: 'UnsupportedOperation',
      malformed: 'InvalidAMIID.Malformed',
      tag: 'InvalidParameterValue',
      large: 'InvalidParameterValue',
    })
    const named = { LaunchTemplateName: 'web' }
    const none = { LaunchTemplateId: `lt-${'0'.repeat(17)}` }
    expect(await cloud.refusal(deleteLaunchTemplate, {})).toBe('MissingParameter')
    expect(await cloud.refusal(deleteLaunchTemplate, { ...named, ...none })).toBe(
      'InvalidParameterCombination',
    )
    expect(await cloud.refusal(deleteLaunchTemplate, none)).toBe('InvalidLaunchTemplateId.NotFound')
    expect(await cloud.refusal(deleteLaunchTemplate, { LaunchTemplateId: 'lt-x' })).toBe(
      'InvalidLaunchTemplateId.Malformed',
    )
    expect(await cloud.refusal(deleteLaunchTemplate, named, BOB)).toBe(
      'InvalidLaunchTemplateName.NotFoundException',
    )
    expect(await cloud.refusal(modifyLaunchTemplate, { ...named, DefaultVersion: '9' })).toBe(
      'InvalidLaunchTemplateId.VersionNotFound',
    )
    expect(await cloud.refusal(createLaunchTemplateVersion, named)).toBe('MissingParameter')
    expect(await cloud.refusal(describeLaunchTemplateVersions, { Versions: ['1'] })).toBe(
      'InvalidParameterValue',
    )
    expect(await cloud.run(describeLaunchTemplateVersions, { Versions: ['$Latest'] }, BOB)).toEqual(
      {
        LaunchTemplateVersions: [],
      },
    )
  })
})

describe('RunInstances from a launch template', () => {
  const counts = { MinCount: 1, MaxCount: 1 }
  const named = { LaunchTemplate: { LaunchTemplateName: 'web' } }

  it('uses its parameters, those of the request before them, and says where they came from', async () => {
    await using cloud = await openCloud()
    const instanceTags = [{ Key: 'Name', Value: 'web' }]
    const made = await make(cloud, {
      LaunchTemplateData: {
        ImageId: cloud.image,
        InstanceType: 't3.small',
        UserData: btoa('#!/bin/sh'),
        DisableApiTermination: true,
        MetadataOptions: { HttpTokens: 'required' },
        TagSpecifications: [{ ResourceType: 'instance', Tags: instanceTags }],
      },
    })
    const asked = { ...counts, ...named, InstanceType: 't3.micro' }
    const { Instances } = (await cloud.run(runInstances, asked)) as Reservation
    const system = [
      { Key: 'aws:ec2launchtemplate:id', Value: made.LaunchTemplateId },
      { Key: 'aws:ec2launchtemplate:version', Value: '1' },
    ]
    expect(Instances).toMatchObject([
      {
        ImageId: cloud.image,
        InstanceType: 't3.micro',
        MetadataOptions: { HttpTokens: 'required' },
      },
    ])
    expect(Instances?.[0]?.Tags).toEqual(expect.arrayContaining([...instanceTags, ...system]))
    const [record] = await cloud.store.read((tx) => tx.instances({}))
    expect(record).toMatchObject({
      userData: btoa('#!/bin/sh'),
      options: { disableApiTermination: true },
    })
    // Nobody but the cloud sets or removes these tags.
    const Resources = [Instances?.[0]?.InstanceId]
    expect(await cloud.refusal(createTags, { Resources, Tags: system })).toBe(
      'InvalidParameterValue',
    )
    await cloud.run(deleteTags, { Resources })
    expect(await cloud.run(describeTags)).toMatchObject({ Tags: system })
  })

  it('takes the default version, the latest or the one that is named', async () => {
    await using cloud = await openCloud()
    await make(cloud)
    await version(cloud, { SourceVersion: '1', LaunchTemplateData: { InstanceType: 't3.small' } })
    const typeOf = async (Version?: string) => {
      const LaunchTemplate = { LaunchTemplateName: 'web', Version }
      const answer = await cloud.run(runInstances, { ...counts, LaunchTemplate })
      return (answer as Reservation).Instances?.[0]?.InstanceType
    }
    expect([await typeOf(), await typeOf('$Latest'), await typeOf('2'), await typeOf('1')]).toEqual(
      ['t3.micro', 't3.small', 't3.small', 't3.micro'],
    )
    const refusal = (LaunchTemplate: object, account?: typeof BOB) =>
      cloud.refusal(runInstances, { ...counts, LaunchTemplate }, account)
    expect(await refusal({ LaunchTemplateName: 'web', Version: '3' })).toBe(
      'InvalidLaunchTemplateId.VersionNotFound',
    )
    expect(await refusal({ LaunchTemplateName: 'web', Version: 'x' })).toBe('InvalidParameterValue')
    expect(await refusal({ LaunchTemplateName: 'none' })).toBe(
      'InvalidLaunchTemplateName.NotFoundException',
    )
    expect(await refusal({ LaunchTemplateName: 'web' }, BOB)).toBe(
      'InvalidLaunchTemplateName.NotFoundException',
    )
  })

  it('is refused as any launch is, by the parameters of both', async () => {
    await using cloud = await openCloud()
    await make(cloud, { LaunchTemplateData: { NetworkInterfaces: [{ DeviceIndex: 0 }] } })
    expect(await cloud.refusal(runInstances, { ...counts, ...named })).toBe('MissingParameter')
    const given = { ...counts, ...named, ImageId: cloud.image }
    expect(await cloud.refusal(runInstances, { ...given, SubnetId: cloud.subnet.id })).toBe(
      'InvalidParameterCombination',
    )
    expect(await cloud.refusal(runInstances, { ...given, Nonsense: 1 })).toBe(
      'UnsupportedOperation',
    )
    expect(await cloud.refusal(runInstances, { ...given, DryRun: true })).toBe('DryRunOperation')
    expect(await cloud.run(runInstances, given)).toMatchObject({ Instances: [{}] })
  })

  it('can be repeated with the same token', async () => {
    await using cloud = await openCloud()
    await make(cloud)
    const asked = { ...counts, ...named, ClientToken: 'again' }
    const { ReservationId } = await cloud.run(runInstances, asked)
    expect(await cloud.run(runInstances, asked)).toMatchObject({ ReservationId })
  })

  it('makes the same instance from what GetLaunchTemplateData says of one', async () => {
    await using cloud = await openCloud()
    const first = {
      ...counts,
      ImageId: cloud.image,
      InstanceType: 't3.small',
      DisableApiStop: true,
    }
    const { Instances } = (await cloud.run(runInstances, first)) as Reservation
    const asked = { InstanceId: Instances?.[0]?.InstanceId }
    const { LaunchTemplateData } = await cloud.run(getLaunchTemplateData, asked)
    const data = { ...(LaunchTemplateData as object), NetworkInterfaces: [] }
    await make(cloud, { LaunchTemplateData: data })
    const again = (await cloud.run(runInstances, { ...counts, ...named })) as Reservation
    expect(again.Instances).toMatchObject([{ ImageId: cloud.image, InstanceType: 't3.small' }])
    const records = await cloud.store.read((tx) => tx.instances({}))
    expect(records.map(({ options }) => options?.disableApiStop)).toEqual([true, true])
  })
})
