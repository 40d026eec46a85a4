/**
 * A lab: a cluster of hosts on this machine, with one fabric and an outside network.
 *
 * It needs root, but no permanent process. Everything is found by the files below
 * `/var/lib/atoll-lab/NAME` and `/run/atoll-lab/NAME` and by the names of namespaces, so that any
 * later command can continue or clean up after an interrupted one.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { MACHINE_GROUP } from '../../src/model/names.ts'
import { cacheDir, hostOf, type LabHost, removeControlGroups } from './host.ts'
import { type LabLayout, labLayout } from './layout.ts'
import { type Machine, machineOf, powerOn } from './machine.ts'
import { ensureNetworks, namespacesOf, removeNamespace } from './network.ts'
import {
  type DiskOptions,
  ensureDatabaseTemplate,
  ensureHostDisk,
  ensureOutsideDisk,
  ensureSecret,
} from './prepare.ts'
import { must, until } from './run.ts'

export interface Lab {
  readonly name: string
  readonly layout: LabLayout
  /** The outside machine, where clients are. */
  readonly outside: Machine
  readonly hosts: readonly LabHost[]
  /** Throws if there is no such host, naming those that exist. */
  host(name: string): LabHost
  /** Machines by name: the hosts and `outside`. */
  machine(name: string): Machine
}

export interface LabOptions extends DiskOptions {
  readonly name?: string
  readonly hosts?: number
  /** Called with a line for each step. */
  readonly progress?: (line: string) => void
}

export const DEFAULT_LAB = 'lab'
const DEFAULT_HOSTS = 3
const END_MS = 10_000

const labSchema = z.strictObject({ hosts: z.int() })
const labFile = (dir: string) => join(dir, 'lab.json')

/** An existing lab, whether its machines are on or off. */
export async function openLab(name = DEFAULT_LAB): Promise<Lab> {
  const { dir } = labLayout(name, 1)
  const text = await readFile(labFile(dir), 'utf8').catch(() => {
    throw new Error(`there is no lab "${name}": scripts/lab up`)
  })
  return labOf(labLayout(name, labSchema.parse(JSON.parse(text)).hosts))
}

function labOf(layout: LabLayout): Lab {
  const hosts = layout.hosts.map((host) => hostOf(layout, host))
  const outside = machineOf(layout.outside)
  const find = <M extends Machine>(machines: readonly M[], name: string): M => {
    const found = machines.find((one) => one.name === name)
    if (found !== undefined) return found
    const names = machines.map((one) => one.name).join(', ')
    throw new Error(`there is no ${name} in the lab "${layout.name}", but: ${names}`)
  }
  return {
    name: layout.name,
    layout,
    outside,
    hosts,
    host: (name) => find(hosts, name),
    machine: (name) => find<Machine>([...hosts, outside], name),
  }
}

/**
 * Creates a lab and switches it on: disks, networks, all machines. Resolves when the machines run;
 * `untilReady` waits for what runs in them. Existing parts stay, so that an interrupted creation is
 * continued.
 */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  const { name = DEFAULT_LAB, progress = () => {} } = options
  const existing = existsSync(labFile(labLayout(name, 1).dir)) ? await openLab(name) : null
  const hosts = options.hosts ?? existing?.hosts.length ?? DEFAULT_HOSTS
  const layout = labLayout(name, hosts)
  if (existing !== null && existing.hosts.length !== hosts)
    throw new Error(`the lab "${name}" has ${existing.hosts.length} hosts: scripts/lab down first`)
  await mkdir(cacheDir(layout), { recursive: true })
  await mkdir(layout.runtimeDir, { recursive: true })
  await writeFile(`${labFile(layout.dir)}.new`, JSON.stringify({ hosts }))
  await rename(`${labFile(layout.dir)}.new`, labFile(layout.dir))

  await Promise.all([ensureSecret(layout), ensureDatabaseTemplate(layout), ensureNetworks(layout)])
  progress('networks and database template')
  const lab = labOf(layout)
  await ensureOutsideDisk(layout)
  if (!(await lab.outside.isOn())) await powerOn(layout.outside, cacheDir(layout))
  await Promise.all(
    layout.hosts.map(async (host) => {
      await ensureHostDisk(layout, host, options)
      await lab.host(host.name).start()
      progress(`${host.name} is on`)
    }),
  )
  return lab
}

/** Ends everything in a lab and removes everything of it. Does nothing where there is none. */
export async function destroyLab(name = DEFAULT_LAB): Promise<void> {
  const hosts = (await openLab(name).catch(() => null))?.hosts.length
  const layout = labLayout(name, hosts ?? 1)
  // By the namespaces, because pid files may be gone.
  const namespaces = await namespacesOf(name)
  for (const namespace of namespaces) await endProcesses(namespace)
  for (const namespace of namespaces) await removeNamespace(namespace)
  await removeControlGroups(layout.cgroup)
  // Each start of a virtual machine creates its own, so empty ones are unused.
  await removeControlGroups(`/${MACHINE_GROUP}`)
  for (const dir of [layout.runtimeDir, layout.dir]) {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    // The last lab also removes the directory of all labs.
    await rmdir(dirname(dir)).catch(() => {})
  }
}

/**
 * Ends all processes in a namespace, and waits for that: control groups and file systems are theirs
 * until then. One that hangs in the kernel is not waited for longer than a moment.
 */
async function endProcesses(namespace: string): Promise<void> {
  const areGone = async () => {
    const pids = (await must(['ip', 'netns', 'pids', namespace])).split('\n').map(Number)
    const others = pids.filter((pid) => pid > 0 && pid !== process.pid)
    for (const pid of others) killQuietly(pid)
    return others.length === 0 ? true : null
  }
  await until('they end', END_MS, areGone).catch(() => undefined)
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}
