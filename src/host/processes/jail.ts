/**
 * The sandbox in which programs written in C parse untrusted files.
 *
 * A program in it runs as an unprivileged user, without network, in namespaces of its own, in a
 * file system with only /usr, with a filter of system calls (`seccomp.ts`) and with limits. It gets
 * its files as open descriptors and cannot open paths of the host. If it is exploited, it can only
 * compute, and write its own output.
 *
 * bubblewrap creates the namespaces (https://github.com/containers/bubblewrap); prlimit and setpriv
 * of util-linux do the rest. When the daemon dies, all programs in the jail die.
 */
import type { FileHandle } from 'node:fs/promises'
import type { Runner } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import { JAIL_USER } from '../../model/names.ts'
import { parserFilter } from './seccomp.ts'

/** What a program in the jail may use. */
interface JailLimits {
  /** Of processor time. */
  readonly seconds: number
  /** Address space. */
  readonly memoryBytes: number
  /** Length of an output file. */
  readonly fileBytes: number
}

/** A program to run in the jail. */
interface JailRequest {
  readonly program: string
  readonly args: readonly string[]
  readonly limits: JailLimits
  /**
   * Descriptors that it inherits as numbers 3 and following. `jailPath` returns the name by which
   * it may open them.
   */
  readonly files: readonly number[]
}

/**
 * The command, and what it inherits from number 3 on: descriptors, or bytes to read from a pipe.
 */
interface JailCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly inherit: readonly (number | Buffer)[]
}

const BUBBLEWRAP = 'bwrap'
const FIRST_NUMBER = 3
const PROCESSES = 64
const DESCRIPTORS = 64
const ROOT = [
  ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...['--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--perms', '0755', '--dir', '/dev'],
  ...['--dev-bind', '/dev/null', '/dev/null', '--remount-ro', '/', '--chdir', '/'],
]

/** The name by which the n-th file of the request can be opened in the jail. */
export function jailPath(index: number): string {
  return `/proc/self/fd/${FIRST_NUMBER + index}`
}

/** The command that starts a program in the jail, for callers that read its output themselves. */
export function jailCommand({ program, args, limits, files }: JailRequest): JailCommand {
  const filter = parserFilter(process.arch)
  const filtered = filter === null ? [] : ['--seccomp', String(FIRST_NUMBER + files.length)]
  return {
    program: BUBBLEWRAP,
    args: [
      ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts'],
      ...['--unshare-cgroup-try', '--die-with-parent', '--new-session', '--clearenv'],
      ...['--setenv', 'PATH', '/usr/bin', ...ROOT, ...filtered],
      // For changing to an unprivileged user; setpriv drops them.
      ...['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((name) => ['--cap-add', name]),
      ...['--', 'prlimit', '--core=0', `--nproc=${PROCESSES}`, `--nofile=${DESCRIPTORS}`],
      ...[`--as=${limits.memoryBytes}`, `--fsize=${limits.fileBytes}`, `--cpu=${limits.seconds}`],
      ...['--', 'setpriv', `--reuid=${JAIL_USER}`, `--regid=${JAIL_USER}`, '--clear-groups'],
      ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--', program, ...args],
    ],
    inherit: [...files, ...(filter === null ? [] : [filter])],
  }
}

/**
 * Lets the jail read a file to which only root has access: it is opened again in the jail, so its
 * mode matters.
 */
export async function letJailRead(file: FileHandle): Promise<void> {
  const { mode } = await file.stat()
  await file.chmod((mode & 0o777) | 0o004)
}

/** Gives a file to the jail's user while `work` runs. */
export async function letJailWrite<T>(file: FileHandle, work: () => Promise<T>): Promise<T> {
  await file.chown(JAIL_USER, JAIL_USER)
  try {
    return await work()
  } finally {
    await file.chown(0, 0)
  }
}

/**
 * Runs a program in the jail for at most `timeoutMs`. One that reads and writes nothing for
 * `idleMs` is killed. Errors: `unavailable` when the jail cannot be created. The result says how
 * the program ended.
 */
export async function runJailed(
  run: Runner,
  order: JailRequest,
  options: { readonly timeoutMs: number; readonly idleMs?: number; readonly signal?: AbortSignal },
): ReturnType<Runner> {
  const { program, args, inherit } = jailCommand(order)
  return await run(program, args, { ...options, inherit }).catch((error: unknown) => {
    throw jailMissing(error)
  })
}

/** The error when bubblewrap cannot be started. */
export function jailMissing(error: unknown) {
  return unavailable(`${BUBBLEWRAP} cannot be started (Debian: apt-get install bubblewrap)`, error)
}
