/**
 * A program of the firewall that hangs: nft is stopped (SIGSTOP).
 *
 * Before: at each pass DHCP, DNS and metadata of all instances waited until it was killed, after 20
 * s. Now only links and workloads wait, because nothing may be reachable before its rules exist.
 * Health names nft, and it is killed after 3 s and tried again.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../src/agent/agent.ts'
import { agentHealth } from '../../src/agent/health.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { type Runner, systemRunner } from '../../src/lib/runner.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { agentParts, countingService } from '../kit/agent.ts'
import { openRecords } from '../kit/cluster-records.ts'
import { hostName } from '../kit/records.ts'
import { createTestbed } from '../kit/testbed.ts'

const host = hostName('one')
const INTERVAL_MS = 60_000

it('a stopped nft holds back no names, and is given up', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-hung-'))
  const hung = { is: false, started: 0 }
  const runner: Runner = (program, args, run) => {
    if (program !== 'nft' || !hung.is) return systemRunner(program, args, run)
    hung.started += 1
    return systemRunner('sh', ['-c', 'kill -STOP $$; exec nft "$@"', 'nft', ...args], run)
  }
  const testbed = await createTestbed({ runner })
  const store = await openRecords([host])
  const bus = createLocalBus()
  const names = countingService('dns', { passesGates: true })
  const machines = countingService('machines')
  const agent = startAgent(
    agentParts(directory, {
      store,
      bus,
      services: [...testbed.services, names.service, machines.service],
      watchKernel: (heard) => testbed.host.watchKernel(heard),
      metrics: testbed.metrics,
    }),
    { host, identity: host, intervalMs: INTERVAL_MS, resyncMs: INTERVAL_MS },
  )
  const health = () =>
    agentHealth(agent.status(), Date.now(), INTERVAL_MS).find(({ name }) => name === 'services')
  const hasTable = async () =>
    (await testbed.machine.run(['nft', 'list', 'table', 'inet', 'atoll'])).exitCode === 0
  try {
    await eventually('the first pass', () => agent.status().passes > 0, 20_000)
    hung.is = true
    await testbed.machine.must(['nft', 'delete', 'table', 'inet', 'atoll'])
    await eventually('it hangs', () => hung.started > 0)
    const before = machines.counts.applied
    const began = performance.now()
    for (let n = 0; n < 5; n += 1) {
      const applied = names.counts.applied
      bus.ring(host)
      await eventually('names', () => names.counts.applied > applied)
    }
    expect(performance.now() - began).toBeLessThan(25_000)
    expect(health()?.value).toContain('firewall: nft does not answer')
    // Nothing is made reachable meanwhile.
    expect(machines.counts.applied).toBe(before)
    await eventually('it is killed, and tried again', () => hung.started > 1, 20_000)
    hung.is = false
    await eventually('the rules are in again', hasTable, 20_000)
    await eventually('health', () => health()?.ok === true, 20_000)
    await eventually('machines', () => machines.counts.applied > before, 20_000)
  } finally {
    hung.is = false
    await agent.close()
    await bus.close()
    await store.close()
    await testbed.destroy()
    await rm(directory, { recursive: true })
  }
}, 90_000)
