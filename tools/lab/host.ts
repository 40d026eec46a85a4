/** A host of the lab: a machine with a disk, two cables, and (on the first three) engines. */

import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { systemRunner } from '../../src/lib/runner.ts'
import type { HostLayout, LabLayout } from './layout.ts'
import { type Machine, machineOf, powerOff, powerOn } from './machine.ts'
import { disconnectLinks, plugIn, setFabricPort, unplug } from './network.ts'

/** On each host, and on the outside machine after `scripts/lab env`. */
export const AUTHORITY_FILE = '/etc/atoll/tls/ca.crt'

export interface LabHost extends Machine {
  readonly fabricAddress: string
  /** The URL of its API for outside clients, which verify it with `authority`. */
  readonly endpoint: string
  /** The CA (PEM) of the cluster. The host must be on. */
  authority(): Promise<string>
  readonly hasEngines: boolean
  /** What survives a power failure. */
  readonly disk: string
  /** A power failure: every process ends at once, without a message. The disk stays. */
  kill(): Promise<void>
  /**
   * Switches it on. Its services start by themselves. Resolves once they have started, not when
   * they are ready.
   */
  start(): Promise<void>
  /** Cuts the host off from the fabric. The outside network still reaches it. */
  cut(): Promise<void>
  heal(): Promise<void>
  isCut(): boolean
}

/** The host of a layout. */
export function hostOf(lab: LabLayout, layout: HostLayout): LabHost {
  const machine = machineOf(layout)
  async function kill(): Promise<void> {
    await disconnectLinks(lab, layout)
    await powerOff(layout)
    await unplug(lab, layout)
    await removeControlGroups(`${lab.cgroup}/${layout.name}`)
  }
  return {
    ...machine,
    fabricAddress: layout.fabricAddress,
    endpoint: `https://${layout.outsideAddress}:8773`,
    authority: () => machine.must(['cat', AUTHORITY_FILE]),
    hasEngines: layout.hasEngines,
    disk: layout.disk,
    kill,
    async start() {
      if (await machine.isOn()) return
      // Left by an interrupted start.
      await unplug(lab, layout)
      await plugIn(lab, layout)
      if (existsSync(layout.cutFile)) await setFabricPort(lab, layout, false)
      await powerOn(layout, cacheDir(lab))
    },
    async cut() {
      await writeFile(layout.cutFile, '')
      if (await machine.isOn()) await setFabricPort(lab, layout, false)
    },
    async heal() {
      await rm(layout.cutFile, { force: true })
      if (await machine.isOn()) await setFabricPort(lab, layout, true)
    },
    isCut: () => existsSync(layout.cutFile),
  }
}

/** Shared by the machines: compiled code of the daemon. */
export function cacheDir(lab: LabLayout): string {
  return `${lab.dir}/cache`
}

/** Docker leaves them when it is killed. They are empty once the processes are gone. */
export async function removeControlGroups(path: string): Promise<void> {
  const script =
    'for top in /sys/fs/cgroup"$0" /sys/fs/cgroup/*"$0"; do [ ! -d "$top" ] || find "$top" -depth -type d -exec rmdir {} +; done'
  await systemRunner('sh', ['-c', script, path])
}
