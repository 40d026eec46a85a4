/**
 * How surely a host stops what others may start again, when it has no permission any more. Pure.
 */

/**
 * From the weakest. `none`: nothing stops it. `muted`: the kernel drops its packets, and a process
 * that must live ends it. `softdog`: a timer of the kernel resets the machine, unless the kernel
 * itself hangs. `watchdog`: a device resets it, whatever hangs.
 */
export const FENCE_LEVELS = ['none', 'muted', 'softdog', 'watchdog'] as const
/** One of these. */
export type FenceLevel = (typeof FENCE_LEVELS)[number]

/** Whether a host of this level does at least what `wanted` promises. */
export function isAtLeast(level: FenceLevel, wanted: FenceLevel): boolean {
  return FENCE_LEVELS.indexOf(level) >= FENCE_LEVELS.indexOf(wanted)
}
