/**
 * A machine of a test's own for workloads: a network namespace, a Docker Engine in it, and the real
 * host port.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDockerDriver } from '../../src/containers/docker.ts'
import { createDockerImages, type DockerImages } from '../../src/containers/images.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { readTables } from '../../src/host/processes/tables.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { containerName, GATEWAY_LINK } from '../../src/model/names.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { startDocker, type TestDocker } from '../../tools/kit/docker.ts'
import { instance } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns } from '../../tools/kit/netns.ts'
import { nicSpecOf } from './guest.ts'
import { OPEN_RULES } from './open-rules.ts'
import { lookAndPing, type WorkloadMachine } from './workload-machine.ts'

export interface DockerMachine extends WorkloadMachine<DockerImages> {
  readonly engine: TestDocker
}

const MTU_BYTES = 1500
const STOP_SECONDS = 2
const IMAGE_DEADLINE_MS = 30_000

/**
 * Makes the machine, sample images included. The calling thread is inside its namespace until
 * `close`.
 */
export async function startDockerMachine(
  options: { readonly sharesRoot?: boolean; readonly openFiles?: number } = {},
): Promise<DockerMachine> {
  const netns = await createNetns('workloads')
  const leave = netns.enter()
  const stateDir = await mkdtemp(join(tmpdir(), 'atoll-workloads-'))
  const engine = await startDocker({ ...options, pid: netns.pid })
  await engine.makeSampleImages()
  const { docker } = engine
  const log = silentLog
  const clock = systemClock
  const host = createLinuxHost({ log })
  const images = createDockerImages({
    docker,
    sources: { registries: [], local: ['*'] },
    directories: [stateDir],
    maxBytes: 64 * 1024 * 1024,
    clock,
    log,
  })
  const settings = {
    engineSocket: engine.socketPath,
    stateDir,
    zone: 'atoll.internal',
    stopSeconds: STOP_SECONDS,
    mtuBytes: MTU_BYTES,
    busyboxPath: '/bin/busybox',
    tables: readTables(),
  }
  const drivers: WorkloadDriver[] = []

  return {
    engine,
    netns,
    images,
    stateDir,
    freshDriver(its = clock) {
      const driver = createDockerDriver({
        ...{ docker, images, host, settings, run: systemRunner, clock: its, log },
      })
      drivers.push(driver)
      return driver
    },
    async prepare(n, location, changes = {}) {
      const image = { ...instance(n).image, location, digest: null }
      const want = instance(n, { image, type: { ...instance(n).type, memoryMiB: 64 }, ...changes })
      await host.ensureForwarding()
      await host.applyRules(OPEN_RULES)
      await host.ensureGateway(GATEWAY_LINK, [nicSpecOf(want).gateway])
      await host.ensureNic(nicSpecOf(want))
      return want
    },
    async loseLink(want) {
      await netns.must(['ip', 'link', 'delete', nicSpecOf(want).hostLink])
      await host.ensureNic(nicSpecOf(want))
    },
    ...lookAndPing({ images, netns, host }, IMAGE_DEADLINE_MS),
    pidOf: async ({ id }) => (await docker.getContainer(containerName(id)).inspect()).State.Pid,
    inside: (want, command) =>
      netns.must([
        ...['docker', '--host', `unix://${engine.socketPath}`],
        ...['exec', containerName(want.id), 'sh', '-c', command],
      ]),
    async close() {
      for (const driver of drivers) await driver.close()
      await images.close()
      await host.close()
      await engine.close()
      leave()
      await netns.destroy()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
