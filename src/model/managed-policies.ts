/**
 * The policies that every account has. Pure. Their names are those of AWS, so that tools that
 * attach these find them.
 * https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
 */
import { type Policy, parsePolicy } from './policy.ts'

/** A managed policy. */
export interface ManagedPolicy {
  readonly name: string
  readonly arn: string
  /** `ANPA…`, as AWS shows one. */
  readonly id: string
  readonly description: string
  readonly document: string
  readonly policy: Policy
}

const READING = [
  ...['ec2:Describe*', 'ec2:Get*', 'ec2:List*', 'iam:Get*', 'iam:List*', 'sts:Get*'],
  'cloudtrail:LookupEvents',
]

/** All of them. */
export const MANAGED_POLICIES: readonly ManagedPolicy[] = [
  managed('AdministratorAccess', 'Everything', [{ Effect: 'Allow', Action: '*', Resource: '*' }]),
  managed('PowerUserAccess', 'Everything but users, roles and their rights', [
    { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' },
    { Effect: 'Allow', Action: ['iam:ListAccountAliases', 'iam:ListRoles'], Resource: '*' },
  ]),
  managed('ReadOnlyAccess', 'Everything that only reads', [
    { Effect: 'Allow', Action: READING, Resource: '*' },
  ]),
  managed('AmazonEC2FullAccess', 'Everything of EC2', [
    { Effect: 'Allow', Action: 'ec2:*', Resource: '*' },
  ]),
  managed('AmazonEC2ReadOnlyAccess', 'Everything of EC2 that only reads', [
    { Effect: 'Allow', Action: READING.filter((one) => one.startsWith('ec2:')), Resource: '*' },
  ]),
]

/** Short names of the operator's command. */
export const POLICY_SHORT_NAMES: Readonly<Record<string, string>> = {
  admin: 'AdministratorAccess',
  user: 'PowerUserAccess',
  'read-only': 'ReadOnlyAccess',
}

/** The managed policy with this ARN. */
export function managedPolicy(arn: string): ManagedPolicy | undefined {
  return MANAGED_POLICIES.find((one) => one.arn === arn)
}

/** The managed policy with this name. */
export function managedPolicyNamed(name: string): ManagedPolicy | undefined {
  return MANAGED_POLICIES.find((one) => one.name === name)
}

function managed(name: string, description: string, statements: readonly object[]): ManagedPolicy {
  const document = JSON.stringify({ Version: '2012-10-17', Statement: statements })
  const parsed = parsePolicy(document)
  if ('problem' in parsed) throw new TypeError(`${name}: ${parsed.problem}`)
  const id = `ANPA${name
    .toUpperCase()
    .replaceAll(/[^A-Z2-7]/g, '')
    .padEnd(17, 'A')
    .slice(0, 17)}`
  const arn = `arn:aws:iam::aws:policy/${name}`
  return { name, arn, id, description, document, policy: parsed.policy }
}
