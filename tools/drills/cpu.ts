/** Processor time of the daemons, as the kernel counts it. */
import { setTimeout as delay } from 'node:timers/promises'
import { daemonProcesses, processorSeconds } from '../kit/daemon-processes.ts'
import type { Lab } from '../lab/lab.ts'
import { rootOf } from './host-state.ts'

/** On each host of the lab. */
const CONFIG_FILE = '/etc/atoll/atoll.yaml'

/**
 * The largest share of one core that the daemon of one of these hosts, with all its processes,
 * takes over `ms` milliseconds, in percent.
 */
export async function cpuShare(lab: Lab, hosts: readonly string[], ms: number): Promise<number> {
  const before = await Promise.all(hosts.map((host) => usedOf(lab, host)))
  const began = performance.now()
  await delay(ms)
  const seconds = (performance.now() - began) / 1000
  const after = await Promise.all(hosts.map((host) => usedOf(lab, host)))
  const shares = after.map((used, i) => {
    const spent = [...used].map(([pid, now]) => now - (before[i]?.get(pid) ?? 0))
    return spent.reduce((sum, one) => sum + one, 0) / seconds
  })
  return Math.max(...shares) * 100
}

/** Seconds by process. */
async function usedOf(lab: Lab, host: string): Promise<ReadonlyMap<number, number>> {
  const proc = `${await rootOf(lab, host)}/proc`
  const used = (await daemonProcesses(CONFIG_FILE, proc)).map(
    async ({ pid }) => [pid, await processorSeconds(pid, proc)] as const,
  )
  return new Map(await Promise.all(used))
}
