/**
 * Who may pass a role to instances, and who may assume it.
 *
 * Both concern a role that only the action knows, so the action decides them in its transaction.
 */
import type { SecretCipher } from '../../lib/secret-cipher.ts'
import type { Role } from '../../model/account-records.ts'
import { AtollError } from '../../model/errors.ts'
import { iamArn, parseIamArn } from '../../model/iam-names.ts'
import { INSTANCES_SERVICE, parseTrustPolicy } from '../../model/policy.ts'
import { trustIn } from '../../model/trust.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiSettings, Caller } from '../action.ts'
import { refusal } from './authorization.ts'
import { callerArn, principalArn } from './caller-arn.ts'
import { callerContext, decideBy, readCallerPolicies } from './caller-policies.ts'
import { everything } from './request-resources.ts'

/** Of a request. */
interface Asking {
  readonly caller: Caller
  readonly settings: Pick<ApiSettings, 'region'>
  /** ISO 8601. */
  readonly now: string
  readonly sourceIp: string | undefined
}

/**
 * Errors: `UnauthorizedOperation` or `AccessDenied` unless the caller's policies allow
 * `iam:PassRole` of this role to EC2.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
 */
export async function requirePassRole(
  tx: ReadTx,
  role: Pick<Role, 'account' | 'name' | 'path'>,
  service: 'ec2' | 'iam',
  asking: Asking & { readonly parts: { readonly messages?: SecretCipher | null } },
): Promise<void> {
  const { caller, settings, now, sourceIp, parts } = asking
  if (caller.rights === 'all') return
  const policies = await readCallerPolicies(tx, caller)
  const { context, variables } = callerContext(caller, { ...settings, now, sourceIp })
  const asked = {
    ...{ action: 'iam:PassRole', variables },
    context: { ...context, 'iam:passedtoservice': INSTANCES_SERVICE },
  }
  const resources = [{ ...everything(), arn: iamArn('role', role), tags: null }]
  const decision = decideBy(policies, { ...asked, resources })
  if (!decision.isAllowed) throw refusal({ service, caller }, asked, decision, parts.messages)
}

/** How a role is asked for. */
interface Assuming extends Asking {
  readonly arn: string
  readonly session: string
  readonly externalId: string | undefined
}

/**
 * The role with this ARN, if the caller may assume it. Its trust policy must allow it, and nothing
 * of the caller's may deny it. The caller's policies must allow it, too, unless it is of the role's
 * account and the trust policy names the caller itself. Errors: `AccessDenied`, also when there is
 * no such role.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
 */
export async function requireAssumable(tx: ReadTx, assuming: Assuming): Promise<Role> {
  const { caller, arn, session, externalId, settings, now, sourceIp } = assuming
  const policies = await readCallerPolicies(tx, caller)
  const { context, variables } = callerContext(caller, { ...settings, now, sourceIp })
  const asked = {
    ...{ action: 'sts:AssumeRole', variables },
    context: { ...context, 'sts:externalid': externalId, 'sts:rolesessionname': session },
  }
  const resources = [{ ...everything(), arn, tags: null }]
  const own = decideBy(policies, { ...asked, resources })
  const role = await findRole(tx, arn)
  const trust = role === undefined ? 'denied' : trustOf(role, caller, asked)
  const isGiven = own.isAllowed || (trust === 'named' && role?.account === caller.account)
  // What is given by name is still denied by a statement, and limited by a session's policies.
  const limits = decideBy({ own: null, session: policies.session }, { ...asked, resources })
  const isDenied = own.isExplicit || !limits.isAllowed
  if (role !== undefined && trust !== 'denied' && isGiven && !isDenied) return role
  const sentence = `User: ${callerArn(caller)} is not authorized to perform: sts:AssumeRole on resource: ${arn}`
  throw new AtollError('refused', 'AccessDenied', sentence)
}

/** The role of an account that is not disabled. */
async function findRole(tx: ReadTx, arn: string): Promise<Role | undefined> {
  const named = parseIamArn('role', arn)
  if (named === undefined) return undefined
  const account = await tx.account(named.account)
  const role = await tx.role(named.account, named.name)
  return account?.status === 'active' && role?.path === named.path ? role : undefined
}

function trustOf(
  { trust }: Role,
  caller: Caller,
  asked: Parameters<typeof trustIn>[2],
): ReturnType<typeof trustIn> {
  const parsed = parseTrustPolicy(trust)
  if ('problem' in parsed) return 'denied'
  const arns = [...new Set([callerArn(caller), principalArn(caller)])]
  return trustIn(parsed.policy, { account: caller.account, arns }, asked)
}
