/**
 * Memory: gives back to the machine what a burst of work left behind.
 *
 * V8 keeps the pages of a heap that once was large, because the next burst may come at once. On a
 * host of ours it may come tomorrow, and until then the instances have a better use for them. So
 * after a burst one thorough collection is asked for. It stops the daemon for some 80 ms where a
 * processor is free, and for many times that where none is; which is why it waits until the daemon
 * and the machine are quiet, and until there is something to be had.
 */
import { availableParallelism, loadavg } from 'node:os'
import type { Log } from './log.ts'

/**
 * How often it is looked whether there is something to give back, and how long the quiet before it
 * must have lasted.
 */
const LOOK_MS = 5_000
/**
 * Share of that time in which the event loop may have been busy. A daemon that does nothing but its
 * passes is far below.
 */
const QUIET_UTILIZATION = 0.1
/** Growth since the last collection that is worth a pause, in bytes. */
const WORTHWHILE_BYTES = 8e6

/** What is looked at, and how often. Each has its default; a test has others. */
export interface MemoryTrimOptions {
  readonly lookMs?: number
  /** Whether nobody waits for a processor of this machine. */
  readonly machineIsQuiet?: () => boolean
}

/**
 * Looks every few seconds, from now on until the function that it returns is called. Does nothing
 * at all in a Node that was started without `--expose-gc`.
 */
export function startMemoryTrim(log: Log, options: MemoryTrimOptions = {}): () => void {
  const { lookMs = LOOK_MS, machineIsQuiet = hasIdleProcessor } = options
  const { gc } = globalThis
  if (gc === undefined) return () => {}
  let settledBytes = 0
  let past = performance.eventLoopUtilization()

  const look = () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, past)
    past = now
    const residentBytes = process.memoryUsage.rss()
    if (residentBytes < settledBytes + WORTHWHILE_BYTES) return
    if (utilization > QUIET_UTILIZATION || !machineIsQuiet()) return
    const began = performance.now()
    // "Last resort" also drops code that has not run for some time, and gives back empty pages
    // instead of pooling them.
    gc({ type: 'major', flavor: 'last-resort', execution: 'sync' })
    settledBytes = process.memoryUsage.rss()
    const ms = Math.round(performance.now() - began)
    log.debug({ ms, residentBytes, settledBytes }, 'memory returned to the system')
    // The pause itself is not work that somebody asked for.
    past = performance.eventLoopUtilization()
  }
  const timer = setInterval(look, lookMs).unref()
  return () => clearInterval(timer)
}

/** By the load of the last minute (proc_loadavg(5)). */
function hasIdleProcessor(): boolean {
  const [lastMinute = 0] = loadavg()
  return lastMinute < availableParallelism()
}
