/** Whom a role trusts: decisions by trust policies. Pure. */
import type { AccountId } from './ids.ts'
import { INSTANCES_SERVICE, type Policy, type Principal, parseTrustPolicy } from './policy.ts'
import { type AskedAction, decide } from './policy-decision.ts'

/** Who asks for a role. */
export interface TrustedParty {
  readonly account: AccountId
  /** Its ARNs: of a user; of a role and its session. */
  readonly arns: readonly string[]
}

/**
 * - `denied`: no statement allows it, or one denies it.
 * - `account`: a statement names the account. What the account's policies allow counts, too.
 * - `named`: a statement names the user, role or session itself.
 */
export type Trust = 'denied' | 'account' | 'named'

const ASSUME = 'sts:AssumeRole'

/** How far the policy trusts who asks. `asked` says what conditions may ask for. */
export function trustIn(
  policy: Policy,
  { account, arns }: TrustedParty,
  asked: Pick<AskedAction, 'context' | 'variables'>,
): Trust {
  const isNamed = (one: Principal) => one.kind === 'arn' && arns.includes(one.arn)
  const isMeant = (one: Principal) =>
    isNamed(one) || (one.kind === 'account' && one.account === account)
  if (!allows(policy, isMeant, asked)) return 'denied'
  const denials = policy.filter(({ effect }) => effect === 'Deny')
  const grants = policy.filter(({ effect }) => effect === 'Allow')
  const byName = grants.filter(({ principals }) => principals?.some(isNamed) === true)
  return allows([...denials, ...byName], isMeant, asked) ? 'named' : 'account'
}

/** Whether EC2 may give the role to instances. False for a policy that is not understood. */
export function trustsInstances(trust: string): boolean {
  const parsed = parseTrustPolicy(trust)
  if ('problem' in parsed) return false
  const isMeant = (one: Principal) => one.kind === 'service' && one.service === INSTANCES_SERVICE
  return allows(parsed.policy, isMeant, { context: {}, variables: {} })
}

function allows(
  policy: Policy,
  isMeant: (one: Principal) => boolean,
  asked: Pick<AskedAction, 'context' | 'variables'>,
): boolean {
  const concerned = policy.filter(({ principals }) => principals?.some(isMeant) === true)
  const resource = { arn: '*', isUnnamed: false, tags: null, requestTags: new Map() }
  const { isAllowed } = decide([concerned], { ...asked, action: ASSUME, resources: [resource] })
  return isAllowed
}
