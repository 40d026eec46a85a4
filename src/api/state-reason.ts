/** Why an instance is in its state, as an operator reads it. Pure. */
import type { StateReason } from '../model/records.ts'

/**
 * The reason in words. The message of EC2 begins with the code, `Server.InternalError: …`, which
 * says nothing to an operator.
 */
export function stateReasonText({ code, message }: StateReason): string {
  const prefix = `${code}: `
  return message.startsWith(prefix) ? message.slice(prefix.length) : message
}
