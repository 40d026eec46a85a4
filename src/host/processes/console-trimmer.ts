/**
 * Keeps the console files within their limits while no daemon runs: QEMU appends all output of a
 * guest to them.
 *
 * It is one small process for all virtual machines of a state directory, not a child of the daemon.
 * A daemon starts it if there is none. It checks sizes every second, and ends when there are no
 * machines any more. The daemon's own trimming does not conflict with it. The program is
 * `console-trimmer.sh`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { below } from '../../lib/paths.ts'
import { beExpendable } from '../../lib/runner.ts'
import { MACHINES_DIRECTORY, TRIMMER_LOCK } from '../../model/names.ts'

export interface ConsoleTrimmer {
  /** Starts the process if there is none. Never waits. */
  ensure(): void
}

const PROGRAM = `${import.meta.dirname}/console-trimmer.sh`
/** The process of another daemon may hold the lock, and ours then ends at once. */
const TRY_EVERY_MS = 30_000

/** Starts nothing at first. At least the last `keptBytes` of each file are kept. */
export function createConsoleTrimmer({
  stateDir,
  keptBytes,
  clock,
  log,
}: {
  readonly stateDir: string
  readonly keptBytes: number
  readonly clock: Clock
  readonly log: Log
}): ConsoleTrimmer {
  let child: ChildProcess | undefined
  let triedMs = Number.NEGATIVE_INFINITY
  return {
    ensure() {
      const isAlive = child !== undefined && child.exitCode === null && child.signalCode === null
      if (isAlive || clock.monotonic() - triedMs < TRY_EVERY_MS) return
      triedMs = clock.monotonic()
      const lock = ['--nonblock', '--no-fork', below(stateDir, TRIMMER_LOCK)]
      const command = ['sh', PROGRAM, below(stateDir, MACHINES_DIRECTORY), String(keptBytes)]
      child = spawn('flock', [...lock, ...command], { stdio: 'ignore', detached: true, cwd: '/' })
      child.on('error', (error) => log.warn({ error }, 'console logs are not being trimmed'))
      child.unref()
      if (child.pid !== undefined) beExpendable(child.pid)
    },
  }
}
