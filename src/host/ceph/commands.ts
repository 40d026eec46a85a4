/**
 * The programs of Ceph, `rbd`, `rados` and `ceph` (Debian's package `ceph-common`).
 *
 * They wait for a cluster that does not answer for minutes, and some for ever. So each is a process
 * of its own with a deadline, and is killed at its end, and when this process ends. What was
 * interrupted can be repeated.
 */
import { dirname, join } from 'node:path'
import { failureOf, type Runner, type RunResult } from '../../lib/runner.ts'
import { unavailable } from '../../model/errors.ts'
import { MIB } from '../../model/sizes.ts'

/** How the cluster is reached, from the configuration. */
export interface CephAccess {
  readonly pool: string
  /** Without `client.` before it. */
  readonly user: string
  readonly conf: string
  readonly keyring: string
}

export interface CephCommands {
  /**
   * Runs one and returns its result, whatever it is. Errors: `unavailable` when it cannot be
   * started or has not ended in time.
   */
  tell(
    program: CephProgram,
    args: readonly string[],
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<RunResult>
}

type CephProgram = 'rbd' | 'rados' | 'ceph'

/** Exit codes of `rbd`: numbers of errno(3). */
export const CODES = { missing: 2, denied: 13, busy: 16, exists: 17, fenced: 108 } as const

const WORK_MS = 20_000
/** The output of no command that is used here is longer. */
const OUTPUT_BYTES = 2 ** 20
const MESSAGE_LENGTH = 500

/** Where the programs of Ceph look for a user's key. */
export function cephKeyring(conf: string, user: string): string {
  return join(dirname(conf), `ceph.client.${user}.keyring`)
}

/** Nothing is run before the first call. */
export function createCephCommands(access: CephAccess, run: Runner): CephCommands {
  const { user, conf, keyring } = access
  const who = ['--conf', conf, '--id', user, '--keyring', keyring]
  return {
    async tell(program, args, { timeoutMs = WORK_MS, signal } = {}) {
      const limits = { timeoutMs, outputLimitBytes: OUTPUT_BYTES, group: true, endsWithUs: true }
      const options = { ...limits, ...(signal === undefined ? {} : { signal }) }
      const result = await run(program, [...who, ...args], options).catch((error: unknown) => {
        throw unavailable(
          `${program} cannot be started (Debian: apt-get install ceph-common)`,
          error,
        )
      })
      if (result.stoppedBy === null) return result
      throw unavailable(result.stoppedBy === 'timeout' ? SILENT : wordsOf(result))
    },
  }
}

const SILENT =
  'the Ceph cluster does not answer in time: check it with ceph -s, and the addresses in storage.ceph.conf'

/** EPERM. The exit code 1 means other things, too. */
const NOT_PERMITTED = '(1) Operation not permitted'

/** Why a command failed, and what to do where that is known. */
export function wordsOf(result: RunResult): string {
  const code = result.stderr.includes(NOT_PERMITTED) ? CODES.denied : result.exitCode
  switch (code) {
    case CODES.denied:
      return `the cluster refuses the user: check storage.ceph.user and storage.ceph.keyring (${lastLine(result)})`
    case CODES.fenced:
      return 'the cluster refuses this host, which is on its blocklist since others took over its instances: Atoll removes it when nothing of them runs here any more'
    default:
      return lastLine(result)
  }
}

/** Errors: `unavailable`, with why it failed, unless it did not. */
export function expectDone(result: RunResult, what: string): void {
  if (result.exitCode !== 0) throw unavailable(`${what}: ${wordsOf(result)}`)
}

/** These programs say what is wrong in the end; before that may be pages of their own log. */
function lastLine(result: RunResult): string {
  return failureOf(result).split('\n').at(-1)?.slice(0, MESSAGE_LENGTH) ?? ''
}

/** At least this many bytes; `rbd` counts in MiB. */
export function sized(bytes: number): readonly string[] {
  return ['--size', `${Math.ceil(bytes / MIB)}M`]
}
