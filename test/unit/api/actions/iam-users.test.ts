/** Actions of IAM on users, and the alias of an account. */
import { expect, test } from 'vitest'
import { listAccountAliases } from '../../../../src/api/actions/iam-users.ts'
import { parseAccountId } from '../../../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../../../src/model/metadata-options.ts'
import { known } from '../../../kit/api.ts'
import { openCloud } from '../../../kit/api-cloud.ts'

test.each([
  ['red', ['red']],
  ['team-2', ['team-2']],
  ['a'.repeat(63), ['a'.repeat(63)]],
  // No alias of IAM may be called so.
  ['a'.repeat(64), []],
  ['ab', []],
  ['Red', []],
  ['red team', []],
  ['red--team', []],
  ['-red', []],
  ['red_team', []],
])('an account called %o has these aliases: %o', async (name, aliases) => {
  await using cloud = await openCloud()
  const id = known(parseAccountId('111122223333'))
  await cloud.store.change((tx) => tx.insertAccount({ id, name, metadata: NO_PREFERENCE }))
  expect(await cloud.run(listAccountAliases, {}, id)).toEqual({
    AccountAliases: aliases,
    IsTruncated: false,
  })
})
