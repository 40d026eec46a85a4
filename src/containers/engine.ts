/** The connection to the Docker Engine. */
import Dockerode from 'dockerode'

/**
 * The oldest API version that we use: that of Debian 12's engine (20.10). Newer engines support it.
 */
const API_VERSION = 'v1.41'

/** A client of the engine behind this Unix socket. It uses one connection for each request. */
export function openDocker(socketPath: string): Dockerode {
  return new Dockerode({ socketPath, version: API_VERSION })
}
