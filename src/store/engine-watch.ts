/** Whether an engine answers reads promptly, so that the replica need not. */
import type { Clock } from '../lib/clock.ts'
import { loadTolerantClock } from '../lib/deadline.ts'
import { type AtollError, unavailable } from '../model/errors.ts'

/** How long a read waits for the engine before the replica answers. */
export const PATIENCE_MS = 400
/** How much longer that may become while this process itself is slow. */
export const LONGEST_STRETCH = 1.25
/** Pause between two checks whether an engine that was away answers again. */
const LOOK_PAUSE_MS = 250
/** After two outages within this time the engine must answer promptly for a probation. */
const TRUST_MS = 30_000
/** It doubles each time. */
const FIRST_PROBATION_MS = 1_000
const LONGEST_PROBATION_MS = 8_000

/** Whether the engine answers promptly. */
interface EngineWatch {
  /** Aborts when it does not. When it answers again, there is a new one. */
  readonly away: AbortSignal
  /** A read that began with this signal has waited in vain. */
  isAway(since: AbortSignal): void
}

/**
 * It answers at first. Once it is away, it is checked again and again, one check at a time. It is
 * back with the first prompt answer; but after two outages in a short time it must have answered
 * promptly for a probation. An engine that answers now and then would otherwise make every read
 * wait anew. A single read that took long is no outage.
 */
export function watchEngine(
  check: () => Promise<unknown>,
  clock: Clock,
  ending: AbortSignal,
): EngineWatch {
  const patient = loadTolerantClock(clock, LONGEST_STRETCH)
  let away = new AbortController()
  let outageEndedMs = Number.NEGATIVE_INFINITY
  let probationMs = 0

  async function isPrompt(): Promise<boolean> {
    let isLate = false
    const stop = patient.after(PATIENCE_MS, () => {
      isLate = true
    })
    try {
      // Without a deadline: a check that is given up would go on, in the way of the next one.
      await check()
      return !isLate
    } catch {
      return false
    } finally {
      stop()
    }
  }

  async function lookUntilItAnswers(): Promise<void> {
    const wasSoon = clock.monotonic() - outageEndedMs < TRUST_MS
    let isOutage = false
    for (let promptSinceMs: number | null = null; ; ) {
      await clock.sleep(LOOK_PAUSE_MS, ending)
      if (await isPrompt()) {
        promptSinceMs ??= clock.monotonic()
        if (!isOutage || clock.monotonic() - promptSinceMs >= probationMs) break
        continue
      }
      promptSinceMs = null
      if (!isOutage) probationMs = wasSoon ? longerProbation(probationMs) : 0
      isOutage = true
    }
    if (isOutage) outageEndedMs = clock.monotonic()
    away = new AbortController()
  }

  return {
    get away() {
      return away.signal
    },
    isAway(since) {
      if (since !== away.signal || since.aborted) return
      away.abort(takesTooLong())
      lookUntilItAnswers().catch(() => undefined)
    },
  }
}

function longerProbation(ms: number): number {
  return Math.min(LONGEST_PROBATION_MS, Math.max(FIRST_PROBATION_MS, ms * 2))
}

/** The error for who has waited in vain. */
export function takesTooLong(): AtollError {
  return unavailable('The database takes too long; try again.')
}
