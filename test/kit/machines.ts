/**
 * A machine of a test's own for virtual machines: a network namespace, QEMU under emulation, and
 * the real host port and DHCP server.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { findProcesses, machineHomes } from '../../src/host/processes/processes.ts'
import type { SharedStorage } from '../../src/host/shared-storage.ts'
import { createMachineImages, type MachineImages } from '../../src/images/machine-images.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { createKeptImages } from '../../src/machines/created-images.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import { createQemuDriver } from '../../src/machines/qemu.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { GATEWAY_LINK, nicLinkName } from '../../src/model/names.ts'
import { DEFAULT_NIC_LIMITS } from '../../src/model/nic-limits.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { createDhcp } from '../../src/services/dhcp/dhcp.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { instance, passWith } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns } from '../../tools/kit/netns.ts'
import { serialShell } from '../../tools/kit/serial-shell.ts'
import { OPEN_RULES } from './open-rules.ts'
import { outboundTo } from './outbound.ts'
import { lookAndPing, type WorkloadMachine } from './workload-machine.ts'

export interface QemuFixture extends WorkloadMachine<MachineImages> {
  readonly runtimeDir: string
}

const MTU_BYTES = 1450
const FIRST_USER = 1_900_000_000
const SETTLE_DEADLINE_MS = 60_000

/**
 * Makes the machine. The calling thread is inside its namespace until `close`. `directories`: where
 * images lie. `shared`: storage that it has with others.
 */
export async function startQemuFixture(
  directories: readonly string[],
  shared: SharedStorage | null = null,
): Promise<QemuFixture> {
  const netns = await createNetns('machines')
  const leave = netns.enter()
  const stateDir = await mkdtemp(join(tmpdir(), 'atoll-vm-'))
  const runtimeDir = join(stateDir, 'run')
  const [log, clock] = [silentLog, systemClock]
  const host = createLinuxHost({ log })
  const kept = createKeptImages(stateDir)
  const images = createMachineImages({
    kept,
    cacheDir: join(stateDir, 'image-cache'),
    directories,
    maxBytes: 4096 * MIB,
    cacheBytes: 8192 * MIB,
    inUse: () => createMachineFiles(stateDir).origins(),
    s3: null,
    clock,
    log,
    metrics: createMetrics(),
    outbound: outboundTo('127.0.0.1'),
  })
  const dhcp = createDhcp({
    host,
    settings: { leaseSeconds: 3600, mtu: MTU_BYTES, zone: 'atoll.internal' },
    clock,
    metrics: createMetrics(),
    log,
  })
  const wanted = new Map<string, InstanceWant>()
  const drivers: WorkloadDriver[] = []

  return {
    netns,
    images,
    stateDir,
    runtimeDir,
    freshDriver(its = clock) {
      const driver = createQemuDriver({
        images,
        kept,
        host,
        accelerator: async () => ({ kind: 'tcg', group: null }),
        run: systemRunner,
        shared,
        settings: {
          ...{ stateDir, runtimeDir, mtuBytes: MTU_BYTES, firstUser: FIRST_USER },
          stopSeconds: 60,
          maxBytes: 4096 * MIB,
          nicLimits: DEFAULT_NIC_LIMITS,
        },
        clock: its,
        log,
      })
      drivers.push(driver)
      return driver
    },
    async prepare(n, location, changes = {}) {
      const image = { ...instance(n).image, location, digest: null, driver: FIRST_DRIVERS.machine }
      const type = { ...instance(n).type, vcpus: 1, memoryMiB: 96, diskGiB: 1 }
      const want = instance(n, { image, type, driver: FIRST_DRIVERS.machine, ...changes })
      const [nic] = want.nics
      if (nic === undefined) throw new Error('an instance without a NIC')
      await host.ensureForwarding()
      await host.applyRules(OPEN_RULES)
      await host.ensureGateway(GATEWAY_LINK, [nic.gateway])
      await host.ensureNic(nicSpec(nic, MTU_BYTES, 'tap'))
      wanted.set(want.id, want)
      await dhcp.apply(passWith(...wanted.values()))
      return want
    },
    async loseLink(want) {
      for (const nic of want.nics) {
        await netns.must(['ip', 'link', 'delete', nicLinkName(nic.id)])
        await host.ensureNic(nicSpec(nic, MTU_BYTES, 'tap'))
      }
    },
    ...lookAndPing({ images, netns, host }, SETTLE_DEADLINE_MS),
    async pidOf({ id }) {
      const pid = (await findProcesses(await machineHomes(stateDir), FIRST_USER)).get(id)
      if (pid === undefined) throw new Error(`${id} has no process`)
      return pid
    },
    inside: (want, command) => serialShell(join(runtimeDir, 'vm', want.id, 'serial'), command),
    async close() {
      for (const driver of drivers) {
        for (const { instance: id } of await driver.list({ fresh: true, signal: forever }))
          await driver.remove(id, null)
        await driver.close()
      }
      await dhcp.close()
      await images.close()
      await host.close()
      leave()
      await netns.destroy()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

const forever = new AbortController().signal

/** As `serialShell`, of a machine of a cloud. */
export function insideMachine(
  cloud: { readonly dir: string },
  id: string,
  command: string,
): Promise<string> {
  return serialShell(join(cloud.dir, 'run/vm', id, 'serial'), command)
}
