/**
 * Control groups of virtual machines, outside the daemon's group: ending all processes of the
 * daemon's group does not end a guest.
 *
 * With systemd, a machine gets a transient scope (org.freedesktop.systemd1, StartTransientUnit).
 * Otherwise it gets a directory in each hierarchy of the daemon (cgroups(7)). Both have a name of
 * `model/names.ts` and are removed with the machine.
 */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { errnoOf } from '../../lib/errno.ts'
import { exists } from '../../lib/files.ts'
import type { Log } from '../../lib/log.ts'
import { below } from '../../lib/paths.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import { messageOf } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import type { MachineBudget } from '../../model/limits.ts'
import { MACHINE_GROUP } from '../../model/names.ts'

export interface MachineGroups {
  /**
   * Moves a new process into a group with these limits. A failure is logged, and the process keeps
   * running.
   */
  enter(instance: InstanceId, pid: number, budget: MachineBudget): Promise<void>
}

const ROOT = '/sys/fs/cgroup'
const SYSTEMD_RUNS = '/run/systemd/system'

/** The control groups of this machine. `run` starts busctl. */
export function createMachineGroups({
  run,
  log,
}: {
  readonly run: Runner
  readonly log: Log
}): MachineGroups {
  return {
    async enter(instance, pid, budget) {
      try {
        if (await exists(SYSTEMD_RUNS)) await startScope(run, instance, pid, budget)
        else await enterDirectories(instance, pid, budget)
      } catch (error) {
        log.warn(
          { instance, pid, error },
          'could not move a virtual machine out of the control group of the daemon',
        )
      }
    },
  }
}

/** A process counts in its group for a moment after its end. */
const REMOVAL = { attempts: 100, everyMs: 10 } as const

/**
 * Removes the group of a machine that has ended, and with the last one the parent. A scope ends by
 * itself. Does nothing if there is none.
 */
export async function removeGroup(instance: InstanceId, clock: Clock): Promise<void> {
  for (const dir of await directories(instance)) {
    for (let attempt = 1; attempt <= REMOVAL.attempts; attempt += 1) {
      const code = await rmdir(dir).then(() => undefined, errnoOf)
      if (code !== 'EBUSY') break
      await clock.sleep(REMOVAL.everyMs)
    }
    // It stays while it contains others.
    await rmdir(dirname(dir)).catch(() => undefined)
  }
}

async function startScope(
  run: Runner,
  instance: InstanceId,
  pid: number,
  { memoryBytes, processes, vcpus }: MachineBudget,
): Promise<void> {
  const made = await run('busctl', [
    ...['call', 'org.freedesktop.systemd1', '/org/freedesktop/systemd1'],
    ...['org.freedesktop.systemd1.Manager', 'StartTransientUnit', 'ssa(sv)a(sa(sv))'],
    ...[`${MACHINE_GROUP}-${instance}.scope`, 'replace'],
    ...['7', 'PIDs', 'au', '1', String(pid), 'CollectMode', 's', 'inactive-or-failed'],
    ...['MemoryMax', 't', String(memoryBytes), 'MemorySwapMax', 't', '0'],
    ...['TasksMax', 't', String(processes), 'CPUWeight', 't', String(weightOf(vcpus))],
    ...['Description', 's', `Atoll virtual machine ${instance}`, '0'],
  ])
  if (made.exitCode !== 0) throw new Error(`no scope: busctl: ${failureOf(made)}`)
}

async function enterDirectories(
  instance: InstanceId,
  pid: number,
  budget: MachineBudget,
): Promise<void> {
  const failures: string[] = []
  for (const dir of await directories(instance)) {
    try {
      await mkdir(dirname(dir), { recursive: true })
      await enableControllers(dirname(dirname(dir)))
      await enableControllers(dirname(dir))
      await mkdir(dir, { recursive: true })
      await limit(dir, budget)
      await writeFile(below(dir, 'cgroup.procs'), String(pid))
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  if (failures.length > 0) throw new Error(failures.join('; '))
}

/** Enables the controllers of the limits for groups below `dir` in the unified hierarchy. */
async function enableControllers(dir: string): Promise<void> {
  const there = await readFile(below(dir, 'cgroup.controllers'), 'utf8').catch(() => '')
  for (const name of there.trim().split(' '))
    if (['memory', 'pids', 'cpu'].includes(name))
      // Fails for a group that contains processes. Then there is no such limit.
      await writeFile(below(dir, 'cgroup.subtree_control'), `+${name}`).catch(() => undefined)
}

/** Writes the limits for which this hierarchy has files, in version 1 or version 2 (cgroups(7)). */
async function limit(dir: string, { memoryBytes, processes, vcpus }: MachineBudget): Promise<void> {
  const files: readonly (readonly [string, number])[] = [
    ['memory.limit_in_bytes', memoryBytes],
    ['memory.memsw.limit_in_bytes', memoryBytes],
    ['memory.max', memoryBytes],
    ['memory.swap.max', 0],
    ['pids.max', processes],
    ['cpu.shares', Math.min(SHARES.most, vcpus * SHARES.each)],
    ['cpu.weight', weightOf(vcpus)],
  ]
  for (const [name, value] of files) {
    const file = below(dir, name)
    if (await exists(file)) await writeFile(file, String(value))
  }
}

/** The share of one processor: the kernel's default for a group. */
const SHARES = { each: 1024, most: 262_144 } as const
const WEIGHT = { each: 100, most: 10_000 } as const

function weightOf(vcpus: number): number {
  return Math.min(WEIGHT.most, vcpus * WEIGHT.each)
}

/**
 * A directory for the machine in each hierarchy, except cpuset's, where an empty group accepts no
 * process.
 */
async function directories(instance: InstanceId): Promise<readonly string[]> {
  const text = await readFile('/proc/self/cgroup', 'utf8').catch(() => '')
  const mounted: string[] = []
  for (const hierarchy of hierarchies(text)) {
    const root = hierarchy === '' ? ROOT : below(ROOT, hierarchy)
    // Besides other hierarchies, the unified one is mounted elsewhere or not at all. Then it has no
    // controllers and is left alone.
    if (await exists(below(root, 'cgroup.procs'))) mounted.push(root)
  }
  return mounted.map((root) => below(root, MACHINE_GROUP, instance))
}

/**
 * Names below /sys/fs/cgroup of the hierarchies in /proc/self/cgroup (cgroups(7)). Empty for the
 * unified one.
 */
export function hierarchies(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers] = line.split(':')
    if (controllers === undefined) return []
    if (controllers.split(',').includes('cpuset')) return []
    return [controllers.replace(/^name=/, '')]
  })
}
