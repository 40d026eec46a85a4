/** The Amazon Resource Name of a caller. Pure. */
import type { Caller } from '../action.ts'

/** The ARN of the user who asks, as GetCallerIdentity says it. */
export function callerArn({ account, user }: Pick<Caller, 'account' | 'user'>): string {
  return `arn:aws:iam::${account}:user/${user}`
}
