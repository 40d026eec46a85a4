/**
 * A record of one call: who called what, from where, with which result. Pure.
 *
 * `event` is the record in the form of CloudTrail, as clients read it. The other members are what
 * records are looked up by.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */
import type { AccountId } from './ids.ts'

/** Whose record it is. What belongs to no account is the operator's to read. */
export type AuditOwner = AccountId | typeof OPERATOR | typeof STRANGERS

/** The owner of records of the operator's orders. */
export const OPERATOR = 'operator'
/** The owner of records of calls whose sender proved no identity. */
export const STRANGERS = 'strangers'

/** In an order at the operator's socket: who gives it. Only root can open the socket. */
export const ACTOR_HEADER = 'x-atoll-actor'

/**
 * `change`: a call that changed records; its record was committed with the change. `other`: one
 * that failed, or only read. Each kind has its own share of an account's records, so that failing
 * calls do not push out what was changed.
 */
export const AUDIT_KINDS = ['change', 'other'] as const
export type AuditKind = (typeof AUDIT_KINDS)[number]

/** What a call concerned. */
export interface AuditResource {
  /** As in CloudTrail: `AWS::EC2::Instance`. */
  readonly type: string
  readonly name: string
}

/** One record. */
export interface AuditEvent {
  /** A UUID. */
  readonly id: string
  readonly owner: AuditOwner
  /** When the call began, by the clock of the host that answered: milliseconds since the epoch. */
  readonly atMs: number
  readonly kind: AuditKind
  /** The action. Empty when the request named none. */
  readonly name: string
  /** `ec2.amazonaws.com`. */
  readonly source: string
  /** The user, or the session of a role. Empty for unknown keys. */
  readonly user: string
  readonly accessKey: string
  readonly isReadOnly: boolean
  readonly resources: readonly AuditResource[]
  /** JSON. */
  readonly event: string
}

/** What records are looked up by (CloudTrail's `LookupAttributeKey`). */
export const AUDIT_ATTRIBUTES = [
  'EventId',
  'EventName',
  'ReadOnly',
  'Username',
  'ResourceType',
  'ResourceName',
  'EventSource',
  'AccessKeyId',
] as const
export type AuditAttribute = (typeof AUDIT_ATTRIBUTES)[number]

/** Where a list of records, newest first, goes on: after this one. */
export interface AuditPosition {
  readonly atMs: number
  readonly id: string
}
