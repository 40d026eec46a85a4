/** Images that are out of date: who still finds them. */
import { expect, it } from 'vitest'
import { copyImage } from '../../../../src/api/actions/copy-image.ts'
import { describeImages } from '../../../../src/api/actions/describe-images.ts'
import {
  disableImageDeprecation,
  enableImageDeprecation,
} from '../../../../src/api/actions/image-deprecation.ts'
import { modifyImageAttribute } from '../../../../src/api/actions/modify-image-attribute.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { ALICE, BOB, NOW_MS, openCloud } from '../../../kit/api-cloud.ts'

const soon = (minutes: number) => new Date(NOW_MS + minutes * 60_000)

/** A cloud whose image everybody may launch from, and in which time passes. */
async function shared() {
  const cloud = await openCloud()
  let nowMs = NOW_MS
  Object.assign(cloud.parts.clock, { now: () => nowMs })
  const LaunchPermission = { Add: [{ Group: 'all' }] }
  await cloud.run(modifyImageAttribute, { ImageId: cloud.image, LaunchPermission })
  const listed = async (input: object, account = BOB) => {
    const { Images } = await cloud.run(describeImages, input, account)
    return (Images as { ImageId: string; DeprecationTime?: string }[]).map(
      ({ ImageId, DeprecationTime = 'never' }) => [ImageId, DeprecationTime],
    )
  }
  const pass = (minutes: number) => {
    nowMs = NOW_MS + minutes * 60_000
  }
  return { cloud, listed, pass, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

it('hides an image from lists of other accounts when its time has come, and not before', async () => {
  await using open = await shared()
  const { cloud, listed, pass } = open
  const ImageId = cloud.image
  // Seconds are rounded to the minute.
  const DeprecateAt = new Date(soon(10).getTime() + 29_000)
  expect(await cloud.run(enableImageDeprecation, { ImageId, DeprecateAt })).toEqual({
    Return: true,
  })
  const shown = [[ImageId, soon(10).toISOString()]]
  expect(await listed({})).toEqual(shown)
  pass(10)
  expect(await listed({})).toEqual([])
  expect(await listed({ Filters: [{ Name: 'image-id', Values: [ImageId] }] })).toEqual([])
  expect(await listed({ IncludeDeprecated: true })).toEqual(shown)
  expect(await listed({ ImageIds: [ImageId] })).toEqual(shown)
  expect(await listed({}, ALICE)).toEqual(shown)
  const launch = { ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
  await cloud.run(runInstances, launch)
  await cloud.run(disableImageDeprecation, { ImageId })
  expect(await listed({})).toEqual([[ImageId, 'never']])
})

it('is not copied', async () => {
  await using open = await shared()
  const { cloud, listed } = open
  await cloud.run(enableImageDeprecation, { ImageId: cloud.image, DeprecateAt: soon(0) })
  const copy = { SourceImageId: cloud.image, SourceRegion: 'atoll', Name: 'copy' }
  const { ImageId } = await cloud.run(copyImage, copy, BOB)
  expect(await listed({ Owners: ['self'] })).toEqual([[ImageId, 'never']])
})

it('is refused for a time that is over or too late, and for an image of another account', async () => {
  await using open = await shared()
  const { cloud } = open
  const ImageId = cloud.image
  const later = new Date('2036-11-22T08:01:00Z')
  for (const DeprecateAt of [soon(-1), later])
    expect(await cloud.refusal(enableImageDeprecation, { ImageId, DeprecateAt })).toBe(
      'InvalidParameterValue',
    )
  expect(await cloud.refusal(enableImageDeprecation, { ImageId })).toBe('MissingParameter')
  const asked = { ImageId, DeprecateAt: soon(1) }
  expect(await cloud.refusal(enableImageDeprecation, asked, BOB)).toBe('AuthFailure')
  expect(await cloud.refusal(disableImageDeprecation, { ImageId }, BOB)).toBe('AuthFailure')
})
