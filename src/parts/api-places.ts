/** Where the agent and the processes of the API of one host meet. */
import { below } from '../lib/paths.ts'

/** Files and sockets, all in one directory. */
export interface ApiPlaces {
  readonly directory: string
  /** Keys and certificates (`api-handed-over.ts`). */
  readonly secrets: string
  /** Copies of the files for TLS to the database. */
  readonly engine: Readonly<Record<'ca' | 'cert' | 'key', string>>
  /** The agent's end of the bus. */
  readonly bus: string
  /** Where the agent takes consoles. */
  readonly consoles: string
}

/** Below this runtime directory. */
export function apiPlaces(runtimeDir: string): ApiPlaces {
  const directory = below(runtimeDir, 'api')
  return {
    directory,
    secrets: below(directory, 'secrets.json'),
    engine: {
      ca: below(directory, 'engine-ca.crt'),
      cert: below(directory, 'engine.crt'),
      key: below(directory, 'engine.key'),
    },
    bus: below(directory, 'bus.sock'),
    consoles: below(directory, 'consoles.sock'),
  }
}
