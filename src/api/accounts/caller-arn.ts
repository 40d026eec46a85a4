/** The Amazon Resource Names of a caller. Pure. */

import type { FederatedUser } from '../../model/account-records.ts'
import { federatedArn, iamArn, sessionArn } from '../../model/iam-names.ts'
import type { Caller } from '../action.ts'

/** Of whom an ARN is. */
type Named = Pick<Caller, 'account' | 'user' | 'userPath' | 'role'> & {
  readonly federated?: Pick<FederatedUser, 'name'>
}

/** The ARN of the user or session that asks, as GetCallerIdentity says it. */
export function callerArn(caller: Named): string {
  const { account, role } = caller
  return role === undefined ? principalArn(caller) : sessionArn(account, role.name, role.session)
}

/** The ARN of the user, federated user, or role itself: `aws:PrincipalArn` of policies. */
export function principalArn({ account, user, userPath, role, federated }: Named): string {
  if (federated !== undefined) return federatedArn(account, federated.name)
  return role === undefined
    ? iamArn('user', { account, path: userPath ?? null, name: user })
    : iamArn('role', { account, ...role })
}
