/**
 * Instances that another host starts again when theirs is lost (`recover`), and all others
 * (`keep`). Pure.
 *
 * `recover` is asked for by a tag, which also says what becomes of the disk, and by EC2's
 * `MaintenanceOptions.AutoRecovery`: both have to say so. Nobody else starts an instance again
 * before its host has acknowledged that it is `recover`.
 */

import { STORAGE_TAG } from './storage.ts'

/** The key of the tag. A policy can forbid it by `aws:RequestTag/atoll:recover`. */
export const RECOVER_TAG = 'atoll:recover'
/**
 * The key of the tag that says in which order: a whole number from 0 to 1,000, higher first.
 * Without it, an instance has 0.
 */
export const PRIORITY_TAG = 'atoll:recover-priority'
const PRIORITY = /^(0|[1-9]\d{0,2}|1000)$/
/** The value of the tag that says that the disk may be lost: it is made anew from the image. */
export const DISCARD_DISK = 'discard-disk'
/** The value that says that the disk is kept: it has to be where other hosts reach it. */
export const KEEP_DISK = 'keep-disk'

/** What happens to an instance whose host is lost. */
export type Recovering = 'keep' | 'recover'

/** What launches and moves leave free for them: room for those of any one host, or none. */
export const RESERVED_CAPACITIES = ['none', 'one-host'] as const
export type ReservedCapacity = (typeof RESERVED_CAPACITIES)[number]

/** What the records say about that, and about who may run an instance. */
export interface Recovery {
  /** As its owner wishes. */
  readonly wanted: Recovering
  /** As its host has last acknowledged. */
  readonly acknowledged: Recovering
  /** One more each time that it may be started somewhere else. For people and volumes. */
  readonly run: number
  /** Random, of the write that made it its host's. Null: nobody has claimed it as `recover`. */
  readonly assignment: string | null
}

/** Whether other hosts may start an instance again. */
export interface RecoverWant {
  /** This host has said so. Then it needs permission for each start. */
  readonly acknowledged: boolean
  /** Of the write that made it this host's. Null: of none since it was launched. */
  readonly assignment: string | null
}

/** Of an instance that was never anything else. */
export const KEEP: Recovery = { wanted: 'keep', acknowledged: 'keep', run: 0, assignment: null }

/** Whether a tag with this key says that. */
export function isRecoverTag(key: string): boolean {
  return key === RECOVER_TAG
}

/** Whether a tag with this key says something about that. */
export function isRecoveryTag(key: string): boolean {
  return key === RECOVER_TAG || key === PRIORITY_TAG
}

/**
 * The priority of an instance with these tags, from 0 to 1,000. What is no priority, as a damaged
 * row may have, is 0.
 */
export function recoverPriority(
  tags: readonly { readonly key: string; readonly value: string }[],
): number {
  const value = tags.find(({ key }) => key === PRIORITY_TAG)?.value ?? ''
  return PRIORITY.test(value) ? Number(value) : 0
}

/**
 * What is wrong with the value of a tag that says something about that, and what would be right;
 * null: nothing.
 */
export function problemOfRecovery(key: string, value: string): string | null {
  if (key === PRIORITY_TAG)
    return PRIORITY.test(value)
      ? null
      : `The value '${value}' of the tag '${PRIORITY_TAG}' is no whole number from 0 to 1000 (higher first)`
  if (value === DISCARD_DISK || value === KEEP_DISK) return null
  return (
    `The value '${value}' of the tag '${RECOVER_TAG}' does not say what becomes of the disk. ` +
    `Set '${DISCARD_DISK}' if it may be lost: another host then makes it anew from the image; ` +
    `or '${KEEP_DISK}' for an instance whose volume was made with the tag '${STORAGE_TAG}'`
  )
}
