/**
 * Processes of the parts that a service manager keeps running, seen from the agent: which they are,
 * and how it ends them.
 */
import { readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { apiPlaces } from './api-places.ts'
import { type ChildPart, endChildren, endProcesses, isPartProcess } from './children.ts'
import { fenceDirectory, fenceOrders } from './fence-places.ts'

/**
 * Ends the processes of a part that use this runtime directory. The next ones wait until something
 * is handed over to them: before that, what they could use is taken away. May be repeated. The
 * waits of `clock` have to keep this process alive. Errors: `unavailable` when one does not end.
 */
export async function endManaged(
  runtimeDir: string,
  clock: Clock,
  part: 'api' | 'fence',
): Promise<void> {
  const isApi = part === 'api'
  await rm(isApi ? apiPlaces(runtimeDir).secrets : fenceOrders(runtimeDir), { force: true })
  await endProcesses(isApi ? managedApi(runtimeDir) : fenceProcesses(runtimeDir), clock)
}

/**
 * Ends all parts that a daemon of this runtime directory has left behind, and its process `fence`
 * even where a service manager keeps it: without its files it would lose its permission, and have
 * its watchdog reset the machine. Returns the names of those that ran. May be repeated. The waits
 * of `clock` and errors are as of `endManaged`.
 */
export async function endAllParts(runtimeDir: string, clock: Clock): Promise<readonly ChildPart[]> {
  const ended = await endChildren(runtimeDir, clock)
  if (fenceProcesses(runtimeDir).length === 0) return ended
  await endManaged(runtimeDir, clock, 'fence')
  return [...ended, 'fence']
}

/**
 * The processes of the API that see the directory of this agent at its place. A machine may run
 * those of others (tests do), and each sees one such directory only.
 */
export function managedApi(runtimeDir: string): readonly number[] {
  const { directory } = apiPlaces(runtimeDir)
  return processesAt('api', directory, (pid) => `/proc/${pid}/root${directory}`)
}

/** The processes `fence` that run in the directory of this agent, whoever has started them. */
export function fenceProcesses(runtimeDir: string): readonly number[] {
  return processesAt('fence', fenceDirectory(runtimeDir), (pid) => `/proc/${pid}/cwd`)
}

/** The processes of a part whose own directory is this one. */
function processesAt(
  part: ChildPart,
  directory: string,
  ownOf: (pid: number) => string,
): readonly number[] {
  const ours = identityOf(directory)
  if (ours === null) return []
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    const isOurs = pid > 1 && isPartProcess(pid, part) && identityOf(ownOf(pid)) === ours
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
