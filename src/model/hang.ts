/**
 * When a host reboots an instance of its own that does not answer any more. Pure.
 *
 * EC2's simplified automatic recovery is about hosts only. For what hangs itself, EC2 has alarms
 * that reboot (`StatusCheckFailed_Instance`), which users have to set up, too:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/UsingAlarmActions.html
 *
 * A reboot helps what has worked in this boot and hangs. So one that has never answered since it
 * was started is left alone: it may still boot, or it never answers anybody. It is announced first,
 * each makes the next one wait twice as long, and there are few in a day.
 */
import type { HungFact } from './instance-check.ts'
import type { Instance } from './records.ts'

/** In any day. An instance that hangs so often needs somebody who looks after it. */
export const REBOOTS_PER_DAY = 3
const DAY_MS = 24 * 60 * 60_000
/** It is announced at least as long before. */
const NOTICE_MS = 60_000

/** How it changes the record: what is announced, or the reboot. */
type HangChange = Partial<Pick<Instance, 'bootCount' | 'check' | 'rebooted'>>

/** What becomes of an instance that hangs; null: nothing, now. `now` is ISO 8601, UTC. */
export function applyHang(instance: Instance, fact: HungFact, now: string): HangChange | null {
  const { bootCount, check, rebooted = [] } = instance
  if (check === undefined || !isReboot(instance, fact)) return null
  const nowMs = Date.parse(now)
  // In both directions, because the clock may have been set.
  const ofToday = rebooted.filter((at) => Math.abs(nowMs - Date.parse(at)) < DAY_MS)
  if (ofToday.length >= REBOOTS_PER_DAY) return null
  const waitMs = fact.afterMs * 2 ** ofToday.length
  const rebootAtMs = check.rebootAt === undefined ? null : Date.parse(check.rebootAt)
  if (rebootAtMs === null || rebootAtMs > nowMs + Math.max(waitMs, NOTICE_MS)) {
    const atMs = nowMs + Math.max(waitMs - fact.forMs, NOTICE_MS)
    return { check: { ...check, rebootAt: new Date(atMs).toISOString() } }
  }
  if (fact.forMs < waitMs || nowMs < rebootAtMs) return null
  const { rebootAt: _, ...done } = check
  return { bootCount: bootCount + 1, rebooted: [...ofToday, now], check: done }
}

/** Whether the record says that this boot has worked and hangs, and that its owner wants it. */
function isReboot(
  { state, wanted, bootCount, bootSeen, check, recovery }: Instance,
  { bootCount: asked }: HungFact,
): boolean {
  return (
    state === 'running' &&
    wanted === 'run' &&
    asked === bootCount &&
    asked === bootSeen &&
    recovery?.wanted === 'recover' &&
    check?.bootCount === asked &&
    check.result === 'failed' &&
    check.answered === true
  )
}
