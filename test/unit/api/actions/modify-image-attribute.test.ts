import type { Image as ImageOutput, Reservation } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { copyImage } from '../../../../src/api/actions/copy-image.ts'
import { createDefaultVpc } from '../../../../src/api/actions/create-default-vpc.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deregisterImage } from '../../../../src/api/actions/deregister-image.ts'
import { describeImageAttribute } from '../../../../src/api/actions/describe-image-attribute.ts'
import { describeImages } from '../../../../src/api/actions/describe-images.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import {
  modifyImageAttribute,
  resetImageAttribute,
} from '../../../../src/api/actions/modify-image-attribute.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

async function images(cloud: Cloud, asked: object = {}, account = BOB): Promise<ImageOutput[]> {
  return (await cloud.run(describeImages, asked, account))['Images'] as ImageOutput[]
}

const permissions = async (cloud: Cloud) =>
  (
    await cloud.run(describeImageAttribute, {
      ...{ ImageId: cloud.image, Attribute: 'launchPermission' },
    })
  )['LaunchPermissions']

describe('launch permissions', () => {
  it('are given and taken in both forms', async () => {
    await using cloud = await openCloud()
    const { image: ImageId } = cloud
    const set = (asked: object) => cloud.run(modifyImageAttribute, { ImageId, ...asked })
    expect(await permissions(cloud)).toEqual([])
    await set({ LaunchPermission: { Add: [{ UserId: BOB }, { Group: 'all' }] } })
    await set({ LaunchPermission: { Add: [{ UserId: BOB }] } })
    expect(await permissions(cloud)).toEqual([{ UserId: BOB }, { Group: 'all' }])
    await set({ Attribute: 'launchPermission', OperationType: 'remove', UserGroups: ['all'] })
    expect(await permissions(cloud)).toEqual([{ UserId: BOB }])
    const more = ['111122223333']
    await set({ Attribute: 'launchPermission', OperationType: 'add', UserIds: more })
    await set({ LaunchPermission: { Remove: [{ UserId: BOB }] } })
    expect(await permissions(cloud)).toEqual([{ UserId: '111122223333' }])
    await cloud.run(resetImageAttribute, { ImageId, Attribute: 'launchPermission' })
    expect(await permissions(cloud)).toEqual([])
    // Packer's `ami_users`. On the old code it was refused.
    await set({ LaunchPermission: { Add: [{ UserId: BOB }] }, UserIds: [BOB] })
    expect(await permissions(cloud)).toEqual([{ UserId: BOB }])
  })

  it('show an image to those who have one, and nothing of where it came from', async () => {
    await using cloud = await openCloud()
    const { image: ImageId } = cloud
    await cloud.run(createTags, { Resources: [ImageId], Tags: [{ Key: 'secret', Value: 'x' }] })
    const seen = async (asked: object, account = BOB) =>
      (await images(cloud, asked, account)).map((image) => image.ImageId)
    expect(await seen({})).toEqual([])
    expect(await cloud.refusal(describeImages, { ImageIds: [ImageId] }, BOB)).toBe(
      'InvalidAMIID.NotFound',
    )
    await cloud.run(modifyImageAttribute, {
      ...{ ImageId, LaunchPermission: { Add: [{ UserId: BOB }] } },
    })
    expect(await images(cloud)).toEqual([
      expect.objectContaining({
        ...{ ImageId, OwnerId: ALICE, Public: false, ImageLocation: `${ALICE}/sample` },
      }),
    ])
    expect((await images(cloud))[0]).not.toHaveProperty('Tags')
    expect(await seen({ ImageIds: [ImageId] })).toEqual([ImageId])
    expect(await seen({ Owners: [ALICE] })).toEqual([ImageId])
    expect(await seen({ Owners: ['self'] })).toEqual([])
    expect(await seen({ Owners: ['amazon'] })).toEqual([])
    expect(await seen({ ExecutableUsers: ['self'] })).toEqual([ImageId])
    expect(await seen({ ExecutableUsers: ['all'] })).toEqual([])
    expect(await seen({ ExecutableUsers: [BOB] }, ALICE)).toEqual([ImageId])
    expect(await seen({ ExecutableUsers: ['self'] }, ALICE)).toEqual([])
    expect(await images(cloud, { Owners: ['self'] }, ALICE)).toMatchObject([
      { ImageLocation: 'docker://sample:latest', Tags: [{ Key: 'secret' }] },
    ])
    await cloud.run(modifyImageAttribute, {
      ...{ ImageId, LaunchPermission: { Add: [{ Group: 'all' }], Remove: [{ UserId: BOB }] } },
    })
    const isPublic = { Filters: [{ Name: 'is-public', Values: ['true'] }] }
    expect(await seen(isPublic)).toEqual([ImageId])
    expect(await seen({ ExecutableUsers: ['all'] })).toEqual([ImageId])
    expect(await seen({ ExecutableUsers: ['self'] })).toEqual([])
    await cloud.run(deregisterImage, { ImageId })
    expect(await seen({})).toEqual([])
  })

  it('let others launch, and what they launched stays', async () => {
    await using cloud = await openCloud({ settings: { vpcPlace: 'own' } })
    const { image: ImageId } = cloud
    await cloud.run(createDefaultVpc, {}, BOB)
    const asked = { ImageId, MinCount: 1, MaxCount: 1 }
    expect(await cloud.refusal(runInstances, asked, BOB)).toBe('InvalidAMIID.NotFound')
    const LaunchPermission = { Add: [{ UserId: BOB }] }
    await cloud.run(modifyImageAttribute, { ImageId, LaunchPermission })
    const launched = (await cloud.run(runInstances, asked, BOB)) as Reservation
    expect(launched).toMatchObject({ OwnerId: BOB, Instances: [{ ImageId }] })
    await cloud.run(resetImageAttribute, { ImageId, Attribute: 'launchPermission' })
    expect(await cloud.refusal(runInstances, asked, BOB)).toBe('InvalidAMIID.NotFound')
    const { Reservations } = await cloud.run(describeInstances, {}, BOB)
    expect(Reservations).toMatchObject([{ Instances: [{ ImageId, Architecture: 'x86_64' }] }])
  })

  it('are the business of the owner', async () => {
    await using cloud = await openCloud()
    const { image: ImageId } = cloud
    const add = { ImageId, LaunchPermission: { Add: [{ Group: 'all' }] } }
    const refusals = async () => [
      await cloud.refusal(modifyImageAttribute, add, BOB),
      await cloud.refusal(resetImageAttribute, { ImageId, Attribute: 'launchPermission' }, BOB),
      await cloud.refusal(describeImageAttribute, { ImageId, Attribute: 'description' }, BOB),
      await cloud.refusal(deregisterImage, { ImageId }, BOB),
    ]
    expect(new Set(await refusals())).toEqual(new Set(['InvalidAMIID.NotFound']))
    await cloud.run(modifyImageAttribute, add)
    expect(new Set(await refusals())).toEqual(new Set(['AuthFailure']))
  })

  it.each([
    [{}, 'InvalidParameterCombination'],
    [{ Value: 'x' }, 'InvalidParameterCombination'],
    [{ Attribute: 'launchPermission' }, 'InvalidParameterCombination'],
    [{ LaunchPermission: { Add: [{ UserId: 'bob' }] } }, 'InvalidAMIAttributeItemValue'],
    [{ LaunchPermission: { Add: [{ Group: 'some' }] } }, 'InvalidAMIAttributeItemValue'],
    [{ LaunchPermission: { Add: [{}] } }, 'InvalidParameterCombination'],
    [{ LaunchPermission: { Add: [{ OrganizationArn: 'x' }] } }, 'UnsupportedOperation'],
    [{ UserIds: [BOB] }, 'MissingParameter'],
    [{ OperationType: 'add' }, 'MissingParameter'],
    [{ Description: { Value: 'x' }, UserIds: [BOB] }, 'InvalidParameterCombination'],
    [
      { LaunchPermission: { Add: [{ UserId: BOB }], Remove: [{ UserId: BOB }] } },
      'InvalidParameterCombination',
    ],
    [{ LaunchPermission: { Add: [] }, UserIds: [BOB] }, 'InvalidParameterCombination'],
    [{ ProductCodes: ['x'] }, 'UnsupportedOperation'],
  ])('refuse %o', async (asked, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(modifyImageAttribute, { ImageId: cloud.image, ...asked })).toBe(code)
  })
})

it('changes the description in both forms', async () => {
  await using cloud = await openCloud()
  const { image: ImageId } = cloud
  await cloud.run(modifyImageAttribute, { ImageId, Description: { Value: 'one' } })
  expect(await images(cloud, {}, ALICE)).toMatchObject([{ Description: 'one' }])
  await cloud.run(modifyImageAttribute, { ImageId, Attribute: 'description', Value: 'two' })
  expect(await images(cloud, {}, ALICE)).toMatchObject([{ Description: 'two' }])
  const both = { ImageId, Attribute: 'description', Value: 'x', Description: { Value: 'y' } }
  expect(await cloud.refusal(modifyImageAttribute, both)).toBe('InvalidParameterCombination')
})

describe('CopyImage', () => {
  const from = (cloud: Cloud, more: object = {}) => ({
    ...{ SourceImageId: cloud.image, SourceRegion: 'atoll', Name: 'copy', ...more },
  })

  it('makes an image with the same pinned content, of another name, for its caller', async () => {
    await using cloud = await openCloud()
    const { image: ImageId } = cloud
    const digest = `sha256:${'a'.repeat(64)}`
    await cloud.store.change((tx) => tx.updateImage(ImageId, { digest }))
    await cloud.run(modifyImageAttribute, { ImageId, LaunchPermission: { Add: [{ UserId: BOB }] } })
    await cloud.run(createTags, { Resources: [ImageId], Tags: [{ Key: 'a', Value: 'b' }] })
    const TagSpecifications = [{ ResourceType: 'image', Tags: [{ Key: 'c', Value: 'd' }] }]
    const asked = from(cloud, { CopyImageTags: true, TagSpecifications, ClientToken: 'one' })
    const copy = await cloud.run(copyImage, asked)
    expect(await cloud.run(copyImage, asked)).toEqual(copy)
    expect(await images(cloud, { ImageIds: [copy['ImageId']] }, ALICE)).toMatchObject([
      {
        Name: 'copy',
        Description: `[Copied ${ImageId} from atoll] sample`,
        State: 'available',
        SourceImageId: ImageId,
        SourceImageRegion: 'atoll',
        Tags: [
          { Key: 'a', Value: 'b' },
          { Key: 'c', Value: 'd' },
        ],
      },
    ])
    const copyOfBob = await cloud.run(copyImage, from(cloud, { CopyImageTags: true }), BOB)
    await cloud.run(deregisterImage, { ImageId })
    const own = await images(cloud, { Owners: ['self'] })
    expect(own).toMatchObject([{ ImageId: copyOfBob['ImageId'], OwnerId: BOB }])
    expect(own[0]).not.toHaveProperty('Tags')
    const records = await cloud.store.read((tx) => tx.images({ account: BOB }))
    expect(records).toMatchObject([{ digest, location: 'docker://sample:latest' }])
  })

  it('refuses what it cannot copy', async () => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(copyImage, from(cloud, { SourceRegion: 'mars' }))).toBe(
      'InvalidParameterValue',
    )
    expect(await cloud.refusal(copyImage, from(cloud, { Name: 'sample' }))).toBe(
      'InvalidAMIName.Duplicate',
    )
    expect(await cloud.refusal(copyImage, from(cloud, { Encrypted: true }))).toBe(
      'UnsupportedOperation',
    )
    expect(await cloud.refusal(copyImage, from(cloud), BOB)).toBe('InvalidAMIID.NotFound')
    await cloud.store.change((tx) => tx.updateImage(cloud.image, { state: 'pending' }))
    expect(await cloud.refusal(copyImage, from(cloud))).toBe('InvalidAMIID.Unavailable')
  })
})
