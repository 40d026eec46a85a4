/** What the calls of the API, and orders of the operator, are recorded through (`audit.ts`). */
import type { AssumedRole, FederatedUser } from '../../model/account-records.ts'
import type { AuditEvent } from '../../model/audit.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Fault } from '../faults.ts'
import type { WireAction } from '../wire/model.ts'

/** Who made a call. */
export interface AuditedCaller {
  readonly account: AccountId
  readonly user: string
  readonly accessKey: string
  readonly isTemporary?: true
  readonly userPath?: string
  readonly userId?: string
  /** Set for a session of a role. */
  readonly role?: AssumedRole
  /** Set for credentials of GetFederationToken. */
  readonly federated?: FederatedUser
}

/** What is known of a call when it ends. */
export interface AuditedCall {
  /** The record's id: a UUID. */
  readonly id: string
  readonly requestId: string
  /** When it began, in milliseconds since the epoch. */
  readonly atMs: number
  /** Undefined: nobody proved who they are. */
  readonly caller: AuditedCaller | undefined
  /** The key that the request names, whether or not its sender has it. Empty: none. */
  readonly accessKey: string
  /** What the request asked for. Undefined: nothing, or it was not read. */
  readonly action: string | undefined
  /** Undefined when there is no such action. */
  readonly wire: WireAction | undefined
  readonly isReadOnly: boolean
  readonly input: object | undefined
  readonly output: object | undefined
  /** Undefined: it succeeded. */
  readonly fault: Pick<Fault, 'kind' | 'code' | 'message'> | undefined
  /** The client's address. */
  readonly source: string
  readonly agent: string
}

/** An order of the operator's command. */
export interface OperatorOrder {
  /** Who gave it. */
  readonly actor: string
  readonly name: string
  readonly parameters: object
  /** Why it was refused. Undefined: it was carried out. */
  readonly error: string | undefined
}

/** Records calls. */
export interface Audit {
  /** Whether a successful call of an action that only reads is recorded. */
  readonly recordsReads: boolean
  /** The record of a change, for its own transaction. */
  changeOf(call: AuditedCall): AuditEvent
  /** The id of a new record. */
  newId(): string
  /** The change was committed, with this record. */
  committed(event: AuditEvent): void
  /** A call that changed nothing has ended. */
  ended(call: AuditedCall): void
  /** An order of the operator was carried out or refused. */
  ordered(order: OperatorOrder): void
  /** Writes what waits, as far as that is possible in a short time. */
  close(): Promise<void>
}

/** How the transaction of a change records its call. */
export interface CallAudit {
  /** The record of the call with this answer: the same one, however often it is asked for. */
  eventOf(output: object): AuditEvent
  /** The transaction with the record was committed. */
  committed(event: AuditEvent): void
}
