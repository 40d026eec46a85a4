/** Times as text. */

/**
 * A time, in milliseconds since the epoch, in whole seconds, as EventBridge, CloudTrail and the
 * metadata of EC2 write it: `2026-11-22T08:33:27Z`.
 */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
