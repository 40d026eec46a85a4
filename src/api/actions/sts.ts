/**
 * STS, as far as clients of EC2 need it to learn who they are.
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
import type { Action } from '../action.ts'

/** The caller's account, user and ARN. Needs no permission: whoever can sign may ask. */
export const getCallerIdentity: Action = {
  name: 'GetCallerIdentity',
  run: async ({ caller }) => ({
    UserId: caller.user,
    Account: caller.account,
    Arn: `arn:aws:iam::${caller.account}:user/${caller.user}`,
  }),
}
