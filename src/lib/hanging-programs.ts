/**
 * Programs that do not come to an end, by name: what a part of the daemon starts again and again is
 * named while it hangs.
 */
import type { Clock } from './clock.ts'
import type { Runner } from './runner.ts'

export interface HangingProgramWatch {
  readonly run: Runner
  /**
   * Those that take too long now, or were killed for it lately and have not worked since: a
   * sentence each.
   */
  hanging(): readonly string[]
}

/** What is watched takes a second at most. */
const LATE_MS = 5_000
/** A program that was killed is named for so long, if nobody starts it again. */
const NAMED_MS = 60_000

/** `run`, with an eye on what it starts. */
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
      return [...names].map((name) => `${name} does not come to an end`)
    },
  }
}
