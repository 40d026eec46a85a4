/** Whose an access key is. */
import { expect, it } from 'vitest'
import { getAccessKeyInfo } from '../../../../src/api/actions/get-access-key-info.ts'
import { actionNamed } from '../../../kit/account-world.ts'
import { ALICE, BOB, openCloud } from '../../../kit/api-cloud.ts'

it('is told of the own account, and of no other', async () => {
  await using cloud = await openCloud()
  await cloud.run(actionNamed('CreateUser'), { UserName: 'dev' })
  const { AccessKey } = (await cloud.run(actionNamed('CreateAccessKey'), { UserName: 'dev' })) as {
    AccessKey: { AccessKeyId: string }
  }
  const asked = { AccessKeyId: AccessKey.AccessKeyId }
  expect(await cloud.run(getAccessKeyInfo, asked)).toEqual({ Account: ALICE })
  expect(await cloud.refusal(getAccessKeyInfo, asked, BOB)).toBe('ValidationError')
  const absent = { AccessKeyId: 'AKIAABSENT0000000000' }
  expect(await cloud.refusal(getAccessKeyInfo, absent, BOB)).toBe('ValidationError')
})
