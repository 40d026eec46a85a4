/** A host of the lab: a machine with a disk, two cables, and (on the first three) engines. */

import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { systemRunner } from '../../src/lib/runner.ts'
import type { HostLayout, LabLayout } from './layout.ts'
import { type Machine, machineOf, powerOff, powerOn } from './machine.ts'
import { disconnectLinks, plugIn, setFabricPort, unplug } from './network.ts'

/** On each host, and on the machine outside once `scripts/lab env` was asked for. */
export const AUTHORITY_FILE = '/etc/atoll/tls/ca.crt'

export interface LabHost extends Machine {
  readonly fabricAddress: string
  /** Where clients outside reach its API, which they verify by `authority`. */
  readonly endpoint: string
  /** The CA (PEM) of the cluster; the host must be on. */
  authority(): Promise<string>
  readonly hasEngines: boolean
  /** What survives a power cut. */
  readonly disk: string
  /** The power goes: every process ends at once and nobody hears a last word. The disk stays. */
  kill(): Promise<void>
  /**
   * Switches it on; its services start by themselves. Resolves once they do, not when they are
   * ready.
   */
  start(): Promise<void>
  /** The fabric no longer carries what this host sends or is sent. The outside still reaches it. */
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
      // What a start that was cut off has left.
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

/** What the machines may share: compiled code of the daemon. */
export function cacheDir(lab: LabLayout): string {
  return `${lab.dir}/cache`
}

/** Docker leaves them behind when it is killed. They are empty once the processes are gone. */
export async function removeControlGroups(path: string): Promise<void> {
  const script =
    'for top in /sys/fs/cgroup"$0" /sys/fs/cgroup/*"$0"; do [ ! -d "$top" ] || find "$top" -depth -type d -exec rmdir {} +; done'
  await systemRunner('sh', ['-c', script, path])
}
