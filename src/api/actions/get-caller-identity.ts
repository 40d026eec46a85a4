/**
 * GetCallerIdentity, the only STS action, with which EC2 clients learn who they are.
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
import { z } from 'zod'
import { callerArn } from '../accounts/caller-arn.ts'
import { readAction } from '../read.ts'

/** The caller's account, user and ARN. It needs no permission. */
export const getCallerIdentity = readAction({
  name: 'GetCallerIdentity',
  input: z.strictObject({}),
  answer: (_asked, { caller }) => ({
    UserId: caller.user,
    Account: caller.account,
    Arn: callerArn(caller),
  }),
})
