/**
 * What the metadata of an instance shows of its role: whose credentials there are, and the
 * documents around them. Who makes the credentials is another matter (`role-credentials.ts`).
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
 */
import type { InstanceId } from '../../model/ids.ts'
import { isoSeconds } from '../../model/iso-time.ts'
import type { ProfileRoleWant, ProfileWant } from '../../model/profile-want.ts'
import type { InstanceWant } from '../../model/want.ts'

/** The documents below `iam/` of one instance. */
export interface RoleDocuments {
  /** `iam/info`. */
  info(nowMs: number): object
  /** The name of the role, and its credentials. Null: there are none. */
  readonly role: {
    readonly name: string
    credentials(nowMs: number): object
  } | null
}

/** What instances of this host get. */
export interface RoleCredentials {
  /** The documents of an instance with a profile. Undefined without one. */
  of(instance: InstanceWant): RoleDocuments | undefined
  /** Forgets the credentials of all other instances. */
  keep(instances: readonly InstanceWant[]): void
}

/** Credentials that another process has made, by the instance. */
export interface GivenRole {
  readonly instance: InstanceId
  /** The role's id. */
  readonly role: string
  readonly document: object
}

/** The documents of an instance, whose credentials `make` returns. Null: nobody can make them. */
export function documentsOf(
  { profile }: InstanceWant,
  make: ((role: ProfileRoleWant, nowMs: number) => object) | null,
): RoleDocuments | undefined {
  if (profile === undefined) return undefined
  const { role } = profile
  const info = (nowMs: number) => infoOf(profile, nowMs)
  if (role === undefined || make === null) return { info, role: null }
  const credentials = (nowMs: number) =>
    role.isTrusting ? make(role, nowMs) : notTrusting(role, nowMs)
  return { info, role: { name: role.name, credentials } }
}

/** Shows the credentials that it was given last. */
export function givenRoles(): RoleCredentials & { give(all: readonly GivenRole[]): void } {
  let given: ReadonlyMap<InstanceId, GivenRole> = new Map()
  return {
    of(instance) {
      const known = given.get(instance.id)
      const isCurrent = known?.role === instance.profile?.role?.id
      return documentsOf(instance, isCurrent && known !== undefined ? () => known.document : null)
    },
    keep: () => undefined,
    give(all) {
      given = new Map(all.map((one) => [one.instance, one]))
    },
  }
}

function infoOf({ arn, id }: ProfileWant, nowMs: number): object {
  return {
    ...{ Code: 'Success', LastUpdated: isoSeconds(nowMs) },
    ...{ InstanceProfileArn: arn, InstanceProfileId: id },
  }
}

/** As EC2 says it. */
function notTrusting({ name }: ProfileRoleWant, nowMs: number): object {
  return {
    Code: 'AssumeRoleUnauthorizedAccess',
    Message: `EC2 cannot assume the role ${name}. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.`,
    LastUpdated: isoSeconds(nowMs),
  }
}
