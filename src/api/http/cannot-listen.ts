/** What whoever opens the socket of the API says when that fails. */
import { type AtollError, unavailable } from '../../model/errors.ts'

/** That clients cannot be answered there, and why. */
export function cannotListen(address: string, port: number, cause: unknown): AtollError {
  return unavailable(
    `the API cannot listen on ${address} port ${port}: free the port, or change the setting api.port`,
    cause,
  )
}
