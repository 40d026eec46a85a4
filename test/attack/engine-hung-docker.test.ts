/**
 * A Docker Engine that hangs (stopped, on a hung disk, or out of memory): it accepts requests and
 * answers none.
 *
 * Before: each pass of the agent waited 30 s for the list of containers, and with it the rules,
 * links, DHCP, DNS and metadata of all instances, and virtual machines. Now only containers wait,
 * and health names the engine.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../src/agent/agent.ts'
import { agentHealth } from '../../src/agent/health.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { createDockerDriver } from '../../src/containers/docker.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import type { Images } from '../../src/workloads/driver.ts'
import { createWorkloadMeters } from '../../src/workloads/step-runner.ts'
import { createWorkloads } from '../../src/workloads/workloads.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { agentParts, countingService } from '../kit/agent.ts'
import { openRecords } from '../kit/cluster-records.ts'
import { startFakeEngine } from '../kit/fake-engine.ts'
import { hostName } from '../kit/records.ts'

const host = hostName('one')
const INTERVAL_MS = 60_000

/** An engine whose lists of containers are empty, and may be held back. */
async function startEngine() {
  let hangs = false
  let held: ServerResponse[] = []
  const answer = (response: ServerResponse) =>
    response.setHeader('content-type', 'application/json').end('[]')
  const engine = await startFakeEngine((request, response) => {
    if (!request.url?.includes('/containers/json')) return
    if (hangs) held.push(response)
    else answer(response)
  })
  return {
    ...engine,
    stop() {
      hangs = true
    },
    goOn() {
      hangs = false
      for (const response of held) answer(response)
      held = []
    },
  }
}

const noImages: Images = {
  look: () => ({ kind: 'working', message: '' }),
  watch: () => () => undefined,
  close: async () => undefined,
}

it('a stopped dockerd holds back no names, no rules and no virtual machines', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-hung-'))
  const store = await openRecords([host])
  const bus = createLocalBus()
  const engine = await startEngine()
  const metrics = createMetrics()
  const names = countingService('dns')
  const machines = countingService('machines', { engine: 'qemu' })
  const containers = createWorkloads({
    declaration: DOCKER,
    driver: createDockerDriver({
      docker: engine.docker,
      images: { ...noImages, content: () => undefined } as never,
      host: {
        plugNic: async () => 1,
        replugNic: async () => [],
        isPlugged: async () => true,
        removeNic: async () => undefined,
        limitUserNamespace: async () => undefined,
      },
      settings: { stateDir: directory, zone: 'atoll.internal', stopSeconds: 0 } as never,
      run: systemRunner,
      clock: systemClock,
      log: silentLog,
    }),
    images: noImages,
    wake: () => agent.wake(),
    clock: systemClock,
    log: silentLog,
    meters: createWorkloadMeters(metrics),
  })
  const agent = startAgent(
    agentParts(directory, {
      store,
      bus,
      services: [names.service, containers, machines.service],
      watchKernel: () => () => undefined,
      metrics,
    }),
    { host, identity: host, intervalMs: INTERVAL_MS, resyncMs: INTERVAL_MS },
  )
  const servicesHealth = () =>
    agentHealth(agent.status(), Date.now(), INTERVAL_MS).find(({ name }) => name === 'services')
  try {
    await eventually('the first pass', () => agent.status().passes > 0)
    engine.stop()
    const began = performance.now()
    for (let n = 0; n < 5; n += 1) {
      const before = { names: names.counts.applied, machines: machines.counts.applied }
      bus.ring(host)
      await eventually(
        'names and machines',
        () => names.counts.applied > before.names && machines.counts.applied > before.machines,
      )
    }
    // One of the five passes waits a second; each waited for 30 before.
    expect(performance.now() - began).toBeLessThan(25_000)
    await eventually('health', () => servicesHealth()?.ok === false)
    expect(servicesHealth()?.value).toContain('containers: docker does not answer')
    engine.goOn()
    await eventually('containers are listed again', () => servicesHealth()?.ok === true)
  } finally {
    engine.goOn()
    await agent.close()
    await bus.close()
    await store.close()
    await engine.close()
    await rm(directory, { recursive: true })
  }
})
