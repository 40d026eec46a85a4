/**
 * When to repeat a step: at once the first time, then after pauses that double from one second to a
 * minute.
 *
 * Failed steps count. So do successful starts, because a workload that others keep killing would
 * otherwise be started in a tight loop. Two quiet minutes, or a newly requested boot, reset the
 * count.
 */

import { type Backoff, pauseMs } from '../lib/retry.ts'
import type { InstanceId } from '../model/ids.ts'

const PAUSES: Backoff = { firstMs: 1_000, lastMs: 60_000 }
const FORGOTTEN_AFTER_MS = 2 * PAUSES.lastMs

export interface Attempts {
  /** How long to wait from `nowMs` until this kind of step may be tried again. 0: now. */
  waitMs(instance: InstanceId, kind: string, bootCount: number, nowMs: number): number
  /** Counts a failure. Returns the number of consecutive failures. */
  failed(instance: InstanceId, kind: string, bootCount: number, nowMs: number): number
  /** Counts a successful start. The next start for the same boot is free, later ones are not. */
  started(instance: InstanceId, kind: string, bootCount: number, nowMs: number): void
  /** Forgets all other instances. */
  keep(instances: ReadonlySet<InstanceId>): void
}

interface Past {
  readonly bootCount: number
  readonly failures: number
  readonly starts: number
  readonly atMs: number
}

/** Nothing is counted at first. Times come from one monotonic clock. */
export function createAttempts(): Attempts {
  const memory = new Map<InstanceId, Map<string, Past>>()

  function recall(instance: InstanceId, kind: string, bootCount: number, nowMs: number): Past {
    const past = memory.get(instance)?.get(kind)
    const counts =
      past !== undefined && past.bootCount === bootCount && nowMs - past.atMs < FORGOTTEN_AFTER_MS
    return counts ? past : { bootCount, failures: 0, starts: 0, atMs: nowMs }
  }

  function note(instance: InstanceId, kind: string, past: Past): void {
    const kinds = memory.get(instance) ?? new Map<string, Past>()
    memory.set(instance, kinds.set(kind, past))
  }

  return {
    waitMs(instance, kind, bootCount, nowMs) {
      const { failures, starts, atMs } = recall(instance, kind, bootCount, nowMs)
      const pauses = failures + Math.max(0, starts - 1)
      if (pauses === 0) return 0
      return Math.max(0, atMs + pauseMs(PAUSES, pauses) - nowMs)
    },
    failed(instance, kind, bootCount, nowMs) {
      const past = recall(instance, kind, bootCount, nowMs)
      const failures = past.failures + 1
      note(instance, kind, { ...past, failures, atMs: nowMs })
      return failures
    },
    started(instance, kind, bootCount, nowMs) {
      const past = recall(instance, kind, bootCount, nowMs)
      note(instance, kind, { ...past, failures: 0, starts: past.starts + 1, atMs: nowMs })
    },
    keep(instances) {
      for (const instance of memory.keys()) if (!instances.has(instance)) memory.delete(instance)
    },
  }
}
