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
  /** Set for temporary credentials: the key that they were made with. */
  readonly parent?: string
}

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
  /** ISO 8601. */
  readonly createdAt: string
}

/** A policy of a user or role. */
export interface IdentityPolicy {
  readonly account: AccountId
  /** As at the end of its ARN. */
  readonly owner: `user/${string}` | `role/${string}`
  /** `inline`: the document is the owner's own. `managed`: the name is a policy of the cloud. */
  readonly kind: 'inline' | 'managed'
  readonly name: string
  /** JSON. Empty for a managed one. */
  readonly document: string
}

/** An access key, with the status of its account: a request needs both to be active. */
export interface UsableKey extends AccessKeyRecord {
  readonly accountStatus: AccountStatus
}
