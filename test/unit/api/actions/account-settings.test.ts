import { expect, it } from 'vitest'
import {
  describeIdFormat,
  describeSpotDatafeedSubscription,
  getAllowedImagesSettings,
  getEbsEncryptionByDefault,
  getImageBlockPublicAccessState,
  getSerialConsoleAccessStatus,
  getSnapshotBlockPublicAccessState,
} from '../../../../src/api/actions/account-settings.ts'
import { openCloud } from '../../../kit/api-cloud.ts'

it.each([
  [getEbsEncryptionByDefault, { EbsEncryptionByDefault: false }],
  [getSerialConsoleAccessStatus, { SerialConsoleAccessEnabled: false }],
  [getImageBlockPublicAccessState, { ImageBlockPublicAccessState: 'unblocked' }],
  [getSnapshotBlockPublicAccessState, { State: 'block-all-sharing' }],
  [getAllowedImagesSettings, { State: 'disabled', ImageCriteria: [] }],
])('$name says how it is', async (action, answer) => {
  await using cloud = await openCloud()
  expect(await cloud.run(action)).toEqual(answer)
  expect(await cloud.refusal(action, { DryRun: true })).toBe('DryRunOperation')
})

it('there is no data feed of spot instances', async () => {
  await using cloud = await openCloud()
  expect(await cloud.refusal(describeSpotDatafeedSubscription)).toBe('InvalidSpotDatafeed.NotFound')
})

it('every id is a long one', async () => {
  await using cloud = await openCloud()
  expect(await cloud.run(describeIdFormat, { Resource: 'instance' })).toEqual({
    Statuses: [{ Resource: 'instance', UseLongIds: true }],
  })
  expect((await cloud.run(describeIdFormat))['Statuses']).toHaveLength(16)
})
