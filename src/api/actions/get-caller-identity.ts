/**
 * GetCallerIdentity, the one action of STS: as far as clients of EC2 need it to learn who they are.
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
import { z } from 'zod'
import { readAction } from '../read.ts'

/** The caller's account, user and ARN. Needs no permission: whoever can sign may ask. */
export const getCallerIdentity = readAction({
  name: 'GetCallerIdentity',
  input: z.strictObject({}),
  answer: (_asked, { caller: { account, user } }) => ({
    UserId: user,
    Account: account,
    Arn: `arn:aws:iam::${account}:user/${user}`,
  }),
})
