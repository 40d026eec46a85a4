/**
 * Limits of one instance in tables that the whole machine shares: processes, inotify, open files.
 * Pure.
 *
 * Instances share half of each table, in proportion to their memory. Memory is never handed out
 * twice, so all instances together get at most that half. Every instance gets at least what the
 * smallest type needs to boot an init.
 */
import { MIB } from './sizes.ts'

/** How large the shared tables of a machine are. */
export interface MachineTables {
  readonly memoryMiB: number
  /** Processes and threads at one time: the smaller of kernel.pid_max and kernel.threads-max. */
  readonly processes: number
  /** fs.inotify.max_user_instances: of one user, and all containers are root's towards it. */
  readonly inotifyInstances: number
  /** fs.inotify.max_user_watches. */
  readonly inotifyWatches: number
}

/** What one instance gets of them. */
export interface InstanceLimits {
  readonly processes: number
  readonly inotifyInstances: number
  readonly inotifyWatches: number
  /**
   * Open files of one process (RLIMIT_NOFILE); their sum is bounded by the instance's memory, which
   * the kernel takes them from.
   */
  readonly openFiles: number
  /** Of /dev/shm, in bytes. */
  readonly sharedMemoryBytes: number
}

const SHARE = 0.5
const LEAST = { processes: 48, inotifyInstances: 8, inotifyWatches: 64 } as const
const OPEN_FILES = { perMiB: 32, least: 1024, most: 1_048_576 } as const

/** The limits of an instance with so much memory on this machine. */
export function instanceLimits(memoryMiB: number, machine: MachineTables): InstanceLimits {
  const part = SHARE * Math.min(1, memoryMiB / machine.memoryMiB)
  const of = (table: keyof typeof LEAST) =>
    Math.max(LEAST[table], Math.floor(machine[table] * part))
  const openFiles = memoryMiB * OPEN_FILES.perMiB
  return {
    processes: of('processes'),
    inotifyInstances: of('inotifyInstances'),
    inotifyWatches: of('inotifyWatches'),
    openFiles: Math.min(OPEN_FILES.most, Math.max(OPEN_FILES.least, openFiles)),
    sharedMemoryBytes: Math.floor((memoryMiB * MIB) / 2),
  }
}

/** What the process of a virtual machine may take of the host, as its control group bounds it. */
export interface MachineBudget {
  readonly memoryBytes: number
  readonly processes: number
  /** Processors that it gets when all want some. */
  readonly vcpus: number
}

/**
 * Beside the guest's memory: QEMU itself, its devices' buffers, and the code that emulation keeps;
 * the page cache gives way.
 */
const OVERHEAD = { bytes: 512 * MIB, share: 0.05 } as const
/** Threads that wait for disks, and QEMU's own. */
const WORKERS = 128

/** The budget of a machine of this type. */
export function machineBudget(type: {
  readonly vcpus: number
  readonly memoryMiB: number
}): MachineBudget {
  const guestBytes = type.memoryMiB * MIB
  return {
    memoryBytes: Math.ceil(guestBytes * (1 + OVERHEAD.share)) + OVERHEAD.bytes,
    processes: type.vcpus + WORKERS,
    vcpus: type.vcpus,
  }
}
