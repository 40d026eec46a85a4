/** Addresses of UNIX sockets (unix(7)). Pure. */
import { bug } from '../../model/errors.ts'

/** The family of these sockets. */
export const AF_UNIX = 1
/** Of `sun_path`: a path has a zero byte behind it. */
const PATH_BYTES = 108

/**
 * struct sockaddr_un: a path, or an abstract name that begins with `@`. An abstract name starts
 * with a zero byte, and its length counts. Errors: `bug` when it is too long.
 */
export function unixAddress(path: string): Buffer {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > PATH_BYTES) throw bug(`${path} is too long for a socket`)
  return Buffer.concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), name])
}
