/** Policies that a request for temporary credentials brings along. */
import { z } from 'zod'
import type { SessionPolicy } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { parseSessionPolicy } from '../../model/policy.ts'

const POLICY_ARNS_MAX = 10

/** `Policy` and `PolicyArns`. */
export const sessionPolicyShape = {
  Policy: z.string().optional(),
  PolicyArns: z
    .array(z.strictObject({ arn: z.string().max(2048) }))
    .max(POLICY_ARNS_MAX)
    .default([]),
}

/** The policies of the session. Errors: `MalformedPolicyDocument`. */
export function sessionPolicies({
  Policy: document,
  PolicyArns,
}: {
  readonly Policy?: string | undefined
  readonly PolicyArns: readonly { readonly arn: string }[]
}): readonly SessionPolicy[] {
  const managed = PolicyArns.map(({ arn }) => ({
    ...{ kind: 'managed' as const, name: arn, document: '' },
  }))
  if (document === undefined) return managed
  const parsed = parseSessionPolicy(document)
  if ('problem' in parsed) throw refused('MalformedPolicyDocument', parsed.problem)
  return [...managed, { kind: 'inline', name: 'session', document }]
}
