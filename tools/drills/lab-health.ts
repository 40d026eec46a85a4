/**
 * Whether a lab is healthy: its engines are complete, its daemons are healthy, and nothing differs
 * from the records.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { daemonState, galeraState, rabbitNodes } from '../lab/engines.ts'
import type { Lab } from '../lab/lab.ts'
import { differences } from './inspect.ts'

const LOOK_AGAIN_MS = 300

/** Connects, switches on and starts whatever is not. */
export async function repairLab(lab: Lab): Promise<void> {
  for (const host of lab.hosts) {
    await host.heal()
    await host.start()
    for (const service of await host.serviceNames()) await host.service(service).start()
  }
}

/** What is wrong; empty when the lab is healthy. */
async function unhealthy(lab: Lab): Promise<readonly string[]> {
  const found = (await Promise.all(lab.hosts.map((host) => hostProblems(lab, host.name)))).flat()
  return found.length > 0 ? found : await differences(lab)
}

async function hostProblems(lab: Lab, name: string): Promise<readonly string[]> {
  const host = lab.host(name)
  if (!(await host.isOn())) return [`${name} is off`]
  if (host.isCut()) return [`${name} is cut off`]
  const daemon = await daemonState(host)
  if (daemon === null) return [`atolld on ${name} does not answer`]
  if (!daemon.healthy) return [`atolld on ${name}: ${daemon.problems.join('; ')}`]
  if (!host.hasEngines) return []
  const wanted = lab.hosts.filter(({ hasEngines }) => hasEngines).length
  const [galera, rabbit] = await Promise.all([galeraState(host), rabbitNodes(host)])
  const found: string[] = []
  if (galera === null || !galera.primary || galera.state !== 'Synced' || galera.size !== wanted)
    found.push(`Galera on ${name} is ${galera?.state ?? 'silent'} among ${galera?.size ?? 0}`)
  if (rabbit?.length !== wanted)
    found.push(`RabbitMQ on ${name} sees ${rabbit?.join(' ') ?? 'nobody'}`)
  return found
}

/**
 * Waits until the lab is healthy. Returns the start of the first check that found nothing wrong; or
 * null, with what was wrong when the time was over.
 */
export async function waitUntilHealthy(
  lab: Lab,
  timeoutMs: number,
): Promise<{ readonly at: number | null; readonly found: readonly string[] }> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const at = performance.now()
    const found = await unhealthy(lab).catch((error: unknown) => [String(error)])
    if (found.length === 0) return { at, found }
    if (at > deadline) return { at: null, found }
    await delay(LOOK_AGAIN_MS)
  }
}
