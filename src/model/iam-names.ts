/**
 * Names, paths and ARNs of IAM. Pure.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
 */
import { type AccountId, type ProfileAssociationId, parseAccountId } from './ids.ts'

/** The characters of a name of IAM. */
const NAME = '[\\w+=,.@-]'
/** A path: slashes at both ends, and up to 512 characters. */
export const IAM_PATH = /^\/(?:[\x21-\x7e]{1,510}\/)?$/
/** The id of a role. */
export const ROLE_ID = /^AROA[A-Z2-7]{17}$/
/** The id of an instance profile. */
export const PROFILE_ID = /^AIPA[A-Z2-7]{17}$/
/** The id of a user. */
export const USER_ID = /^AIDA[A-Z2-7]{17}$/
/** The id of a group of users. */
export const GROUP_ID = /^AGPA[A-Z2-7]{17}$/
/** The id of a managed policy. */
export const POLICY_ID = /^ANPA[A-Z2-7]{17}$/
/** The longest name of a user or role. */
const IAM_NAME_MAX = 64
/** The longest name of a policy. */
const POLICY_NAME_MAX = 128
/** The longest ARN of an account's own policy, in characters. */
export const POLICY_ARN_MAX = 128
/** The longest name of an instance profile. */
export const PROFILE_NAME_MAX = 128
/** The ARN of an instance profile. */
export const PROFILE_ARN = new RegExp(
  `^arn:aws:iam::\\d{12}:instance-profile/(?:[\\x21-\\x7e]{1,510}/)?${NAME}{1,${PROFILE_NAME_MAX}}$`,
)
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** Random bytes for an id. */
export const IAM_ID_BYTES = 17

/** An instance's profile, as it was associated. It may have been deleted since. */
export interface ProfileAssociation {
  readonly association: ProfileAssociationId
  /** `AIPA…` */
  readonly id: string
  readonly arn: string
  /** ISO 8601. */
  readonly since: string
}

/** An id from at least `IAM_ID_BYTES` bytes. */
export function iamId(
  prefix: 'AIDA' | 'AROA' | 'AIPA' | 'ANPA' | 'AGPA',
  bytes: Uint8Array,
): string {
  const letters = Array.from(bytes.slice(0, IAM_ID_BYTES), (byte) => BASE32.charAt(byte % 32))
  return `${prefix}${letters.join('')}`
}

/** What has an ARN. */
interface Named {
  readonly account: AccountId
  /** Null: `/`. */
  readonly path: string | null
  readonly name: string
}

/** The ARN of a user, role, instance profile, or an account's own policy. */
export function iamArn(
  type: 'user' | 'role' | 'group' | 'instance-profile' | 'policy',
  { account, path, name }: Named,
): string {
  return `arn:aws:iam::${account}:${type}${path ?? '/'}${name}`
}

/** The ARN of a session of a role. It has no path. */
export function sessionArn(account: AccountId, role: string, session: string): string {
  return `arn:aws:sts::${account}:assumed-role/${role}/${session}`
}

/** The ARN of somebody to whom GetFederationToken gave credentials. */
export function federatedArn(account: AccountId, name: string): string {
  return `arn:aws:sts::${account}:federated-user/${name}`
}

/** The longest name in an ARN. */
const LONGEST = {
  role: IAM_NAME_MAX,
  'instance-profile': PROFILE_NAME_MAX,
  policy: POLICY_NAME_MAX,
} as const

/** The account, path and name in the ARN of a role, an instance profile, or an own policy. */
export function parseIamArn(
  type: keyof typeof LONGEST,
  arn: string,
): (Named & { readonly path: string }) | undefined {
  const most = LONGEST[type]
  const form = new RegExp(`^arn:aws:iam::(\\d{12}):${type}(/(?:[^\\s]+/)?)(${NAME}{1,${most}})$`)
  const [, id = '', path = '', name = ''] = form.exec(arn) ?? []
  const account = parseAccountId(id)
  if (account === undefined || !IAM_PATH.test(path)) return undefined
  return { account, path, name }
}
