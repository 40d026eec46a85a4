/** Records of accounts and their credentials. */
import type { AccountId } from './ids.ts'
import type { MetadataDefaults } from './metadata-options.ts'
import type { OwnQuotas } from './quotas.ts'

/** Whose resources are whose. */
export interface Account {
  readonly id: AccountId
  readonly name: string
  /** For launches that name no metadata options. */
  readonly metadata: MetadataDefaults
  /** Nobody may call the API for a disabled account. Its instances go on. */
  readonly status: AccountStatus
  /** ISO 8601. Null: created by an older daemon. */
  readonly createdAt: string | null
  /** Where they differ from the settings. */
  readonly quotas: OwnQuotas
}

/** Whether an account's keys are accepted. */
export type AccountStatus = 'active' | 'disabled'

/**
 * A credential. SigV4 verification needs the secret itself. In the records it is encrypted
 * (`key-secret.ts`).
 */
export interface AccessKey {
  readonly id: string
  readonly secret: string
  readonly account: AccountId
  /** The user part of the caller's ARN. */
  readonly user: string
  /** Absent as null. */
  readonly rights?: KeyRights
  /** Set for temporary credentials of a user: the key that they were made with. */
  readonly parent?: string
  /** Of the user's record. Absent: it has none, or the path is `/`. */
  readonly userPath?: string
  /** `AIDA…`, of the user's record. Absent: it has none. */
  readonly userId?: string
  /** Set for temporary credentials of a role. */
  readonly role?: AssumedRole
  /** Set for those that GetFederationToken gave. */
  readonly federated?: FederatedUser
}

/** Somebody to whom a user gave a part of its own rights. */
export interface FederatedUser {
  readonly name: string
  /** What it may do, as far as the user may. Empty: nothing. */
  readonly policies: readonly SessionPolicy[]
}

/** A session of a role: what its credentials stand for. */
export interface AssumedRole {
  readonly name: string
  /** Of the role's ARN. */
  readonly path: string
  /** `AROA…` */
  readonly id: string
  /** `RoleSessionName`. */
  readonly session: string
  /** What restricts the session beyond the role. Empty: nothing does. */
  readonly policies: readonly SessionPolicy[]
}

/** A policy of a session: a document, or the ARN of a managed policy. */
export type SessionPolicy = Pick<IdentityPolicy, 'kind' | 'name' | 'document'>

/**
 * What requests with a key may do: `all`, or what the policies of the key's user allow. Null: all;
 * older daemons know nothing else.
 */
type KeyRights = 'all' | 'policies' | null

/** An access key with the fields that IAM's key actions show. */
export interface AccessKeyRecord extends AccessKey {
  /**
   * Older daemons write null, which means active. `limited` is an active key with the rights of its
   * user: older daemons cannot read it, and so refuse it.
   */
  readonly status: 'active' | 'limited' | 'disabled' | null
  readonly rights: KeyRights
  /** ISO 8601. Null: created by an older daemon. */
  readonly createdAt: string | null
  /** Rounded to the hour. Null: never used, as far as known. */
  readonly lastUsedAt: string | null
}

/** A user of an account. */
export interface User {
  readonly account: AccountId
  readonly name: string
  /** `AIDA…`: another user of the same name later has another one. */
  readonly id: string
  /** Begins and ends with a slash. Null: `/`, written by an older daemon. */
  readonly path: string | null
  readonly tags: readonly IamTag[]
  /** ISO 8601. */
  readonly createdAt: string
}

/** A group of users of an account, with policies that hold for its members. */
export interface UserGroup {
  readonly account: AccountId
  readonly name: string
  /** `AGPA…`: another group of the same name later has another one. */
  readonly id: string
  readonly path: string
  /** ISO 8601. */
  readonly createdAt: string
}

/** That a user is in a group: the ids of both. */
export interface GroupMember {
  readonly account: AccountId
  readonly user: string
  readonly group: string
}

/** A tag of a user, a role or an instance profile. */
export interface IamTag {
  readonly key: string
  readonly value: string
}

/** A role of an account. */
export interface Role {
  readonly account: AccountId
  readonly name: string
  /** `AROA…`: another role of the same name later has another one. */
  readonly id: string
  readonly path: string
  /** Who may assume it: JSON, as it was given. */
  readonly trust: string
  readonly description: string
  /** Longest session, in seconds. */
  readonly maxSessionSeconds: number
  readonly tags: readonly IamTag[]
  /** ISO 8601. */
  readonly createdAt: string
}

/** What instances get a role by. */
export interface InstanceProfile {
  readonly account: AccountId
  readonly name: string
  /** `AIPA…` */
  readonly id: string
  readonly path: string
  /** The name of its role. Null: it has none. */
  readonly role: string | null
  readonly tags: readonly IamTag[]
  /** ISO 8601. */
  readonly createdAt: string
}

/** An instance profile with what its instances and their host need of its role. */
export interface InstanceProfileRole
  extends Pick<InstanceProfile, 'account' | 'name' | 'id' | 'path' | 'role'> {
  /** Null, as `trust`: the profile has no role. */
  readonly roleId: string | null
  readonly trust: string | null
}

/** A policy of a user or role. */
export interface IdentityPolicy {
  readonly account: AccountId
  /** As at the end of its ARN. */
  readonly owner: `user/${string}` | `role/${string}` | `group/${string}`
  /** `inline`: the document is the owner's own. `managed`: the name is the ARN of a policy. */
  readonly kind: 'inline' | 'managed'
  readonly name: string
  /** JSON. Empty for a managed one. */
  readonly document: string
}

/** A managed policy that an account has made. Users and roles have it by its ARN. */
export interface OwnPolicy {
  readonly account: AccountId
  readonly name: string
  /** `ANPA…`: another policy of the same name later has another one. */
  readonly id: string
  /** Begins and ends with a slash. */
  readonly path: string
  readonly description: string
  readonly tags: readonly IamTag[]
  /** The number of the version that counts. */
  readonly defaultVersion: number
  /** The number of the youngest version that there ever was. */
  readonly lastVersion: number
  /** ISO 8601. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** A version of a policy, `v1` being number 1. */
export interface OwnPolicyVersion {
  readonly account: AccountId
  /** The policy's name. */
  readonly policy: string
  readonly version: number
  /** JSON. */
  readonly document: string
  /** ISO 8601. */
  readonly createdAt: string
}

/** An access key, with the status of its account: a request needs both to be active. */
export interface UsableKey extends AccessKeyRecord {
  readonly accountStatus: AccountStatus
}
