/** The connection to the Docker Engine. */
import Dockerode from 'dockerode'

/**
 * The oldest API that we speak: that of Debian 12's engine (20.10). Newer ones keep it.
 */
const API_VERSION = 'v1.41'

/**
 * A client of the engine behind this Unix socket. It connects when it is asked something, once per
 * question.
 */
export function openDocker(socketPath: string): Dockerode {
  return new Dockerode({ socketPath, version: API_VERSION })
}
