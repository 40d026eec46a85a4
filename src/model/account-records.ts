/** Records of accounts and their credentials. */
import type { AccountId } from './ids.ts'
import type { MetadataDefaults } from './metadata-options.ts'

/** Whose resources are whose. */
export interface Account {
  readonly id: AccountId
  readonly name: string
  /** For launches that name no metadata options. */
  readonly metadata: MetadataDefaults
}

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
}

/** An access key with the fields that IAM's key actions show. */
export interface AccessKeyRecord extends AccessKey {
  /** Older daemons write null, which means active. */
  readonly status: 'active' | 'disabled' | null
  /** ISO 8601. Null: created by an older daemon. */
  readonly createdAt: string | null
  /** Rounded to the hour. Null: never used, as far as known. */
  readonly lastUsedAt: string | null
}
