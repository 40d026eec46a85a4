/**
 * Processes of the API that a service manager keeps running, seen from the agent: which they are,
 * and how it ends them.
 */
import { readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { apiPlaces } from './api-places.ts'
import { endProcesses, isPartProcess } from './children.ts'

/**
 * Ends the processes of the API that use this runtime directory. The next ones wait until something
 * is handed over to them: before that, what they could use is taken away. May be repeated. The
 * waits of `clock` have to keep this process alive. Errors: `unavailable` when one does not end.
 */
export async function endManaged(runtimeDir: string, clock: Clock): Promise<void> {
  await rm(apiPlaces(runtimeDir).secrets, { force: true })
  await endProcesses(managedApi(runtimeDir), clock)
}

/**
 * The processes of the API that see the directory of this agent at its place. A machine may run
 * those of others (tests do), and each sees one such directory only.
 */
export function managedApi(runtimeDir: string): readonly number[] {
  const { directory } = apiPlaces(runtimeDir)
  const ours = identityOf(directory)
  if (ours === null) return []
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    const isOurs =
      pid > 1 && isPartProcess(pid, 'api') && identityOf(`/proc/${pid}/root${directory}`) === ours
    return isOurs ? [pid] : []
  })
}

/** Of a file or directory: no other has it. Null: there is none. */
function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path)
    return `${dev} ${ino}`
  } catch {
    return null
  }
}
