/** The audit of the calls of one transport (`call.ts`). */
import type { Call } from '../action.ts'
import type { Fault } from '../faults.ts'
import type { Structure } from '../wire/model.ts'
import type { Entry } from '../wire/table.ts'
import { hasSecrets } from './parameters.ts'
import type { Audit, AuditedCall, AuditedCaller } from './port.ts'

/** What a call over the bus has as its source: the broker does not say where it came from. */
const NO_ADDRESS = 'bus'

/** What is known of a call so far. */
export interface AuditedExchange<Head> {
  readonly head: Head
  readonly requestId: string
  /** When it began, in milliseconds since the epoch. */
  readonly atMs: number
  caller?: AuditedCaller
  asked?: { readonly action: string | undefined }
  entry?: Entry
  input?: Call['input']
  output?: object
  /** Whether the record of the call is committed with its change. */
  isRecorded?: true
}

/** The audit of calls. */
interface CallsAudit<Head> {
  /** What an action that changes records needs to record itself. */
  of(exchange: AuditedExchange<Head>): Pick<Call, 'audit'>
  /** A call has ended. Records it, unless its change did. */
  ended(exchange: AuditedExchange<Head>, fault: Fault | null): void
}

/** The transport's part (`Encoding`). */
interface AuditedTransport<Head> {
  readonly sourceOf: (head: Head) => string | undefined
  readonly agentOf?: (head: Head) => string
  readonly keyOf?: (head: Head) => string | undefined
}

/** Nothing is recorded without an audit. */
export function createCallAudit<Head>(
  audit: Audit | undefined,
  encoding: AuditedTransport<Head>,
): CallsAudit<Head> {
  if (audit === undefined) return { of: () => ({}), ended: () => undefined }
  const reveals = createRevealsCheck()

  function auditedOf(
    exchange: AuditedExchange<Head>,
    more: Pick<AuditedCall, 'id' | 'output' | 'fault'>,
  ): AuditedCall {
    const { head, requestId, atMs, caller, asked, entry, input } = exchange
    return {
      ...{ requestId, atMs, caller, input },
      accessKey: encoding.keyOf?.(head) ?? caller?.accessKey ?? '',
      action: asked?.action,
      wire: entry?.wire,
      isReadOnly: entry !== undefined && entry.action.changes !== true,
      source: encoding.sourceOf(head)?.replace(/^::ffff:/, '') ?? NO_ADDRESS,
      agent: encoding.agentOf?.(head) ?? '',
      ...more,
    }
  }

  return {
    of(exchange) {
      if (exchange.entry?.action.changes !== true) return {}
      // One id, however often the transaction is run.
      const id = audit.newId()
      return {
        audit: {
          eventOf: (output) =>
            audit.changeOf(auditedOf(exchange, { id, output, fault: undefined })),
          committed(event) {
            exchange.isRecorded = true
            audit.committed(event)
          },
        },
      }
    },
    ended(exchange, fault) {
      const { entry, output, isRecorded } = exchange
      if (isRecorded === true) return
      const isRead = entry !== undefined && entry.action.changes !== true
      const isOrdinary = fault === null && isRead && !reveals(entry.wire.output)
      if (isOrdinary && !audit.recordsReads) return
      const shown = isOrdinary ? undefined : output
      const id = audit.newId()
      audit.ended(auditedOf(exchange, { id, output: shown, fault: fault ?? undefined }))
    },
  }
}

/** Whether answers of this form contain secrets, remembered. */
function createRevealsCheck(): (output: Structure | undefined) => boolean {
  const known = new Map<Structure | undefined, boolean>()
  return (output) => {
    const before = known.get(output)
    if (before !== undefined) return before
    const reveals = hasSecrets(output)
    known.set(output, reveals)
    return reveals
  }
}
