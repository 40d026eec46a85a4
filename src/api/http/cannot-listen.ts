/** What whoever opens the socket of the API says when that fails. */
import { type AtollError, unavailable } from '../../model/errors.ts'

/** That clients cannot be answered there, and why. */
export function cannotListen(address: string, port: number, cause: unknown): AtollError {
  return unavailable(
    `the API cannot listen on ${address} port ${port}: free the port, or change the setting api.port`,
    cause,
  )
}

/** That a socket which somebody else has opened is not the one that the settings name. */
export function listensElsewhere(where: string, address: string, port: number): AtollError {
  return unavailable(
    `the API was given a socket at ${where}, but api.listen and api.port are ${address} port ${port}: run scripts/install again, which writes the settings into atolld-api.socket`,
  )
}
