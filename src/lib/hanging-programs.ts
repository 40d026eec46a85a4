/** Watches the programs that a part of the daemon starts, and reports those that hang. */
import type { Clock } from './clock.ts'
import type { Runner } from './runner.ts'

export interface HangingProgramWatch {
  readonly run: Runner
  /**
   * A sentence for each program that takes too long, or that was recently killed for that and has
   * not succeeded since.
   */
  hanging(): readonly string[]
}

/** The watched programs normally end within a second. */
const LATE_MS = 5_000
/** For how long a killed program is reported if it is not started again. */
const NAMED_MS = 60_000

/** Runs programs like `run`, and watches them. */
export function watchForHangingPrograms(
  run: Runner,
  clock: Pick<Clock, 'monotonic'>,
): HangingProgramWatch {
  const running = new Set<{ readonly program: string; readonly sinceMs: number }>()
  const killedMs = new Map<string, number>()
  return {
    async run(program, args, options) {
      const one = { program, sinceMs: clock.monotonic() }
      running.add(one)
      try {
        const result = await run(program, args, options)
        if (result.stoppedBy === 'timeout') killedMs.set(program, clock.monotonic())
        else killedMs.delete(program)
        return result
      } finally {
        running.delete(one)
      }
    },
    hanging() {
      const nowMs = clock.monotonic()
      const late = [...running].filter(({ sinceMs }) => nowMs - sinceMs > LATE_MS)
      const killed = [...killedMs].filter(([, atMs]) => nowMs - atMs < NAMED_MS)
      const names = new Set([
        ...late.map(({ program }) => program),
        ...killed.map(([name]) => name),
      ])
      return [...names].map((name) => `${name} does not finish`)
    },
  }
}
