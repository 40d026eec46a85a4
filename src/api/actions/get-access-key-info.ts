/** GetAccessKeyInfo: the account that an access key is of. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { readAction } from '../read.ts'

/**
 * Of keys of the caller's account. AWS tells the account of any key; here no account learns whose
 * another key is, or whether there is one.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
 */
export const getAccessKeyInfo = readAction({
  name: 'GetAccessKeyInfo',
  input: z.strictObject({ AccessKeyId: z.string().regex(/^\w{16,128}$/) }),
  async answer({ AccessKeyId: id }, { account, read }) {
    const keys = await read((tx) => tx.accessKeys(account))
    if (keys.some((key) => key.id === id)) return { Account: account }
    throw refused(
      'ValidationError',
      `The access key ${id} is not a permanent key of this account; of others the account is not told`,
    )
  },
})
