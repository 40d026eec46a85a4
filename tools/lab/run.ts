/** Runs programs on the lab's machine to their end, and waits for conditions. */
import { setTimeout as delay } from 'node:timers/promises'
import { startingClock } from '../../src/lib/clock.ts'
import { withDeadline } from '../../src/lib/deadline.ts'
import { type RunResult, systemRunner } from '../../src/lib/runner.ts'

const POLL_MS = 50
/** Of pauses that are as long as the look before them. */
const LONGEST_PAUSE_MS = 250
/** A look that has not ended so long after the deadline never will. */
const LONGEST_LOOK_MS = 60_000

/** Runs a program and returns its output. Throws with its messages when it fails. */
export async function must(
  argv: readonly string[],
  options: { readonly timeoutMs?: number; readonly stdin?: string } = {},
): Promise<string> {
  const [program = '', ...args] = argv
  return checked(argv, await systemRunner(program, args, options))
}

/** The output of a program that succeeded. */
export function checked(argv: readonly string[], result: RunResult): string {
  if (result.exitCode === 0) return result.stdout
  const how = result.stoppedBy ?? `exit ${result.exitCode}`
  throw new Error(`${argv.join(' ')}: ${how}: ${result.stderr}${result.stdout}`.trimEnd())
}

/**
 * Resolves with the first value that is not null, checking every `everyMs`, and less often where a
 * look takes longer: it takes processor time from what is waited for. Throws `what` after the
 * deadline, also when a look does not end.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | null>,
  everyMs = POLL_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const began = performance.now()
    const ms = deadline - began + LONGEST_LOOK_MS
    const late = () => new Error(`not within ${timeoutMs / 1000} s, and a look hangs: ${what}`)
    const value = await withDeadline({ clock: startingClock, ms, late }, look)
    if (value !== null) return value
    const ended = performance.now()
    if (ended > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`)
    await delay(Math.max(everyMs, Math.min(ended - began, LONGEST_PAUSE_MS)))
  }
}
