/** The Amazon Resource Names of a caller. Pure. */
import { iamArn, sessionArn } from '../../model/iam-names.ts'
import type { Caller } from '../action.ts'

/** Of whom an ARN is. */
type Named = Pick<Caller, 'account' | 'user' | 'userPath' | 'role'>

/** The ARN of the user or session that asks, as GetCallerIdentity says it. */
export function callerArn(caller: Named): string {
  const { account, role } = caller
  return role === undefined ? principalArn(caller) : sessionArn(account, role.name, role.session)
}

/** The ARN of the user, or of the role itself: `aws:PrincipalArn` of policies. */
export function principalArn({ account, user, userPath, role }: Named): string {
  return role === undefined
    ? iamArn('user', { account, path: userPath ?? null, name: user })
    : iamArn('role', { account, ...role })
}
