/**
 * GetCallerIdentity, with which EC2 clients learn who they are.
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
import { z } from 'zod'
import { callerArn } from '../accounts/caller-arn.ts'
import type { Caller } from '../action.ts'
import { readAction } from '../read.ts'

/** The caller's account, id and ARN. It needs no permission. */
export const getCallerIdentity = readAction({
  name: 'GetCallerIdentity',
  input: z.strictObject({}),
  answer: (_asked, { caller }) => ({
    UserId: idOf(caller),
    Account: caller.account,
    Arn: callerArn(caller),
  }),
})

function idOf({ account, user, userId, role, federated }: Caller): string {
  if (federated !== undefined) return `${account}:${federated.name}`
  return role === undefined ? (userId ?? user) : `${role.id}:${role.session}`
}
