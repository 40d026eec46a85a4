/**
 * Injects faults: one at a time and for some seconds, so that there is always a majority of each
 * engine.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Lab } from '../../lab/lab.ts'
import type { Progress } from '../drill.ts'
import type { Random } from './random.ts'

const SHORTEST_MS = 2000
const LONGEST_MS = 8000
const RECOVERY_MS = 6000

interface Fault {
  readonly name: string
  begin(lab: Lab, host: string): Promise<void>
  end(lab: Lab, host: string): Promise<void>
}

const nothing = async () => {}
const engine = (service: string): Fault => ({
  name: `${service} killed`,
  begin: (lab, host) => lab.host(host).service(service).kill(),
  end: (lab, host) => lab.host(host).service(service).start(),
})

const faults: readonly Fault[] = [
  {
    name: 'power cut',
    begin: (lab, host) => lab.host(host).kill(),
    end: (lab, host) => lab.host(host).start(),
  },
  {
    name: 'fabric cut',
    begin: (lab, host) => lab.host(host).cut(),
    end: (lab, host) => lab.host(host).heal(),
  },
  {
    name: 'atolld killed',
    begin: (lab, host) => lab.host(host).service('atolld').crash(),
    end: nothing,
  },
  {
    name: 'dockerd killed',
    begin: (lab, host) => lab.host(host).service('dockerd').crash(),
    end: nothing,
  },
  engine('mariadb'),
  engine('rabbitmq'),
]

/** Injects faults until told to stop, and repairs everything in the end. Returns what it did. */
export async function injectFaults(
  lab: Lab,
  random: Random,
  stopping: AbortSignal,
  progress: Progress,
): Promise<readonly string[]> {
  const done: string[] = []
  while (!stopping.aborted) {
    const fault = random.pick(faults)
    const host = random.pick(lab.hosts)?.name
    if (fault === undefined || host === undefined) break
    const text = `${fault.name} on ${host}`
    progress(text)
    done.push(text)
    await fault.begin(lab, host)
    await quietly(random.between(SHORTEST_MS, LONGEST_MS), stopping)
    await fault.end(lab, host)
    await quietly(random.between(RECOVERY_MS / 2, RECOVERY_MS * 2), stopping)
  }
  return done
}

async function quietly(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
}
