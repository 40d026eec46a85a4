/** The reason of an instance's state, for operators. Pure. */
import type { StateReason } from '../../model/records.ts'

/**
 * The reason in words. EC2's message begins with the code (`Server.InternalError: …`), which is of
 * no use to an operator.
 */
export function stateReasonText({ code, message }: StateReason): string {
  const prefix = `${code}: `
  return message.startsWith(prefix) ? message.slice(prefix.length) : message
}
