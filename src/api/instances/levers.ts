/**
 * Tags of instances that end, stop and start them (`model/lever.ts`), when they are set. Their form
 * has been checked with the request (`schemas.ts`).
 */
import { refused } from '../../model/errors.ts'
import { parseId } from '../../model/ids.ts'
import { isLeverTag, type Strike, TTL_TAG } from '../../model/lever.ts'
import type { Tag } from '../../model/records.ts'
import { parseTtl } from '../../model/ttl.ts'
import type { Tx } from '../../store/store.ts'
import { onlyOfInstances } from '../schemas.ts'

/** How long what a lever announced can be put off. */
const PUT_OFF_MAX_MS = 7 * 86_400_000

/** The latest start that may be asked for (ModifyInstanceEventStartTime). */
export function latestStartMs({ dueMs }: Strike): number {
  return dueMs + PUT_OFF_MAX_MS
}

/**
 * Writes since when those of these tags that are levers count. Refuses one of another resource
 * than an instance, and a time to live that has ended.
 */
export async function putLevers(tx: Tx, tags: readonly Tag[], now: string): Promise<void> {
  const nowMs = Date.parse(now)
  for (const { resource, resourceType, key, value } of tags) {
    if (!isLeverTag(key)) continue
    const instance = parseId('i', resource)
    if (instance === undefined)
      throw refused('InvalidParameterValue', onlyOfInstances(key, resourceType))
    if (key === TTL_TAG) refuseOver(value, nowMs)
    await tx.putLever({ instance, tag: key, fromMs: nowMs, strike: null })
  }
}

function refuseOver(value: string, nowMs: number): void {
  const ttl = parseTtl(value)
  if (typeof ttl === 'string' || !('atMs' in ttl) || ttl.atMs > nowMs) return
  throw refused(
    'InvalidParameterValue',
    `The value '${value}' of the tag '${TTL_TAG}' is a time that is over: it is ${new Date(nowMs).toISOString()} now. Name a later time, or a duration such as '8h'`,
  )
}
