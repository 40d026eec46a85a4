/**
 * Reads the actual containers of all hosts and their addresses, again and again.
 */
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lab } from '../../lab/lab.ts'
import { containersOf, netnsOf } from '../host-state.ts'
import { readRecords } from '../records.ts'
import { inside } from '../sockets.ts'
import type { Sighting } from './history.ts'

const LOOK_EVERY_MS = 700

/** Everything that was observed. */
export interface Observations {
  /** Each round was observed at about one moment. */
  readonly rounds: (readonly Sighting[])[]
  /** Hosts that had allocated more than they have, in words. */
  readonly overbooked: string[]
}

/** Observes until it is stopped. */
export async function observe(
  lab: Lab,
  { rounds, overbooked }: Observations,
  stopping: AbortSignal,
): Promise<void> {
  while (!stopping.aborted) {
    const seen = await Promise.all(lab.hosts.map(({ name }) => look(lab, name).catch(() => [])))
    rounds.push(seen.flat())
    for (const { name, vcpus, usedVcpus } of (await readRecords(lab))?.hosts ?? [])
      if (usedVcpus > vcpus)
        overbooked.push(`${name} has handed out ${usedVcpus} of ${vcpus} vCPUs`)
    await delay(LOOK_EVERY_MS, undefined, { signal: stopping }).catch(() => undefined)
  }
}

/** A host that is off, or whose Docker does not answer, shows nothing. */
async function look(lab: Lab, host: string): Promise<readonly Sighting[]> {
  const running = (await containersOf(lab, host)).filter((one) => one.running)
  const seen: Sighting[] = []
  for (const { instance, pid } of running) {
    const file = await netnsOf(lab, host, pid)
    const at = performance.now()
    try {
      const links = Object.values(inside(file, networkInterfaces)).flatMap((each) => each ?? [])
      const addresses = links
        .filter(({ family, internal }) => family === 'IPv4' && !internal)
        .map(({ address }) => address)
      seen.push({ at, host, instance, addresses })
    } catch {
      // It has ended meanwhile.
    }
  }
  return seen
}
