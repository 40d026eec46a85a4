/**
 * Levers: tags with which an account says when its instances end, stop and start. Pure.
 *
 * - `atoll:ttl`: the time to live. When it ends, the instance is terminated.
 * - `atoll:schedule`: when the instance is started and stopped, by weekday, time and time zone.
 *
 * A tag says what is wanted, and its record (`Lever`) since when, and what has been announced. The
 * record is written in the transaction that sets the tag; setting the same value again begins anew.
 */
import { createHash } from 'node:crypto'
import type { InstanceId } from './ids.ts'
import { parseSchedule, SCHEDULE_FORMS } from './schedule.ts'
import { parseTtl, TTL_FORMS } from './ttl.ts'

/** The key of the tag of the time to live. */
export const TTL_TAG = 'atoll:ttl'
/** The key of the tag of the schedule. */
export const SCHEDULE_TAG = 'atoll:schedule'

/** The key of a lever's tag. */
export type LeverTag = typeof TTL_TAG | typeof SCHEDULE_TAG

/** The record of a lever. It has an effect only while the instance has the tag. */
export interface Lever {
  readonly instance: InstanceId
  readonly tag: LeverTag
  /**
   * Of a time to live: when the tag was set, which a duration is counted from. Of a schedule: the
   * last start or stop that was carried out, or when the tag was set; only later ones count.
   */
  readonly fromMs: number
  /** What has been announced; null: nothing. */
  readonly strike: Strike | null
}

/** What a lever will do to its instance. */
export interface Strike {
  readonly kind: 'stop' | 'terminate'
  /** When the tag says that it is due. */
  readonly dueMs: number
  /**
   * Not before this time. Later than `dueMs` when it could not be announced in time. Null: the
   * instance is protected, so nothing happens.
   */
  readonly notBeforeMs: number | null
}

/** Whether a tag with this key is a lever. */
export function isLeverTag(key: string): key is LeverTag {
  return key === TTL_TAG || key === SCHEDULE_TAG
}

/** What is wrong with the value of a lever's tag, and what would be right; null: nothing. */
export function problemOfLever(tag: LeverTag, value: string): string | null {
  const [parsed, forms] =
    tag === TTL_TAG ? [parseTtl(value), TTL_FORMS] : [parseSchedule(value), SCHEDULE_FORMS]
  if (typeof parsed !== 'string') return null
  return `The value '${value}' of the tag '${tag}' ${parsed}. ${forms}`
}

/** What is announced, as clients and the instance itself see it. */
export interface LeverEvent {
  /** The same while the same is announced. */
  readonly id: string
  /** EC2's code. */
  readonly code: 'instance-stop' | 'instance-retirement'
  /** For people. */
  readonly description: string
  /** Null: the instance is protected, so nothing happens. */
  readonly notBeforeMs: number | null
}

/** The event that announces this. */
export function eventOf({ instance, tag }: Lever, strike: Strike): LeverEvent {
  const key = `${instance} ${tag} ${strike.dueMs}`
  return {
    id: `instance-event-${createHash('sha256').update(key).digest('hex').slice(0, 17)}`,
    code: strike.kind === 'stop' ? 'instance-stop' : 'instance-retirement',
    description: describe(tag, strike),
    notBeforeMs: strike.notBeforeMs,
  }
}

function describe(tag: LeverTag, { dueMs, notBeforeMs }: Strike): string {
  const due = new Date(dueMs).toISOString()
  if (tag === SCHEDULE_TAG)
    return notBeforeMs === null
      ? `The schedule (${tag}) would stop the instance at ${due}, but its stop protection keeps it running`
      : `The instance will be stopped by its schedule (${tag})`
  return notBeforeMs === null
    ? `The time to live (${tag}) ends at ${due}, but the instance is protected from termination and is kept`
    : `The instance will be terminated because its time to live (${tag}) ends`
}
