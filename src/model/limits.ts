/**
 * Limits of one instance in tables that the whole machine shares: processes, inotify, open files.
 * Pure.
 *
 * Instances share half of each table in proportion to their memory. As memory is not overcommitted,
 * all instances together get at most that half. Every instance gets at least what the smallest type
 * needs to boot an init system.
 */
import { MIB } from './sizes.ts'

/** The sizes of the machine's shared tables. */
export interface MachineTables {
  readonly memoryMiB: number
  /**
   * Maximum number of processes and threads: the smaller of kernel.pid_max and kernel.threads-max.
   */
  readonly processes: number
  /** fs.inotify.max_user_instances. It applies to each user, and all containers count as root's. */
  readonly inotifyInstances: number
  /** fs.inotify.max_user_watches. */
  readonly inotifyWatches: number
}

/** The share of one instance. */
export interface InstanceLimits {
  readonly processes: number
  readonly inotifyInstances: number
  readonly inotifyWatches: number
  /**
   * Open files of one process (RLIMIT_NOFILE). Their total is bounded by the instance's memory,
   * which pays for them in the kernel.
   */
  readonly openFiles: number
  /** Size of /dev/shm. */
  readonly sharedMemoryBytes: number
}

const SHARE = 0.5
const LEAST = { processes: 48, inotifyInstances: 8, inotifyWatches: 64 } as const
const OPEN_FILES = { perMiB: 32, least: 1024, most: 1_048_576 } as const

/** The limits of an instance with this much memory on this machine. */
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

/** What the process of a virtual machine may use of the host, enforced by its control group. */
export interface MachineBudget {
  readonly memoryBytes: number
  readonly processes: number
  /** Its processors while all are busy. */
  readonly vcpus: number
}

/**
 * Memory beside the guest's: QEMU itself, its device buffers, and emulation's code cache. The page
 * cache is reclaimed first.
 */
const OVERHEAD = { bytes: 512 * MIB, share: 0.05 } as const
/** Threads that wait for disks, and QEMU's own threads. */
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
