import { expect, it } from 'vitest'
import {
  getEbsEncryptionByDefault,
  getSerialConsoleAccessStatus,
} from '../../../../src/api/actions/account-settings.ts'
import { openCloud } from '../../../kit/api-cloud.ts'

it('says what is not so', async () => {
  await using cloud = await openCloud()
  expect(await cloud.run(getEbsEncryptionByDefault)).toEqual({ EbsEncryptionByDefault: false })
  expect(await cloud.run(getSerialConsoleAccessStatus)).toEqual({
    SerialConsoleAccessEnabled: false,
  })
  expect(await cloud.refusal(getEbsEncryptionByDefault, { DryRun: true })).toBe('DryRunOperation')
})
