/**
 * Usage: what accounts have had, for how long. Pure.
 *
 * It is kept in records of one UTC day, host and account: one with the totals, and one for each tag
 * of what was used. So the number of records does not depend on the number of instances, and they
 * outlive both instances and hosts. A host only writes its own records, and always the day's whole
 * amounts, so that writing them twice changes nothing.
 */
import { createHash } from 'node:crypto'
import type { AccountId, HostName } from './ids.ts'
import { isLeverTag } from './lever.ts'
import { isRecoveryTag } from './recovery.ts'
import { isReservedKey } from './reserved-tags.ts'
import { isStorageTag } from './storage.ts'

/** Amounts of use, in seconds of one unit: an instance, a vCPU, a MiB, a GiB, a floating IP. */
export interface UsageAmounts {
  readonly instanceSeconds: number
  readonly vcpuSeconds: number
  readonly memoryMiBSeconds: number
  readonly diskGiBSeconds: number
  readonly addressSeconds: number
}

/** The amounts' names. */
export const USAGE_AMOUNTS = [
  'instanceSeconds',
  'vcpuSeconds',
  'memoryMiBSeconds',
  'diskGiBSeconds',
  'addressSeconds',
] as const satisfies readonly (keyof UsageAmounts)[]

/** Nothing. */
export const NO_USAGE: UsageAmounts = {
  instanceSeconds: 0,
  vcpuSeconds: 0,
  memoryMiBSeconds: 0,
  diskGiBSeconds: 0,
  addressSeconds: 0,
}

/** Whose usage a record is. */
export interface UsageOwner {
  readonly account: AccountId
  /** Empty: the account's total. */
  readonly tagKey: string
  /**
   * Null in the totals, and for all values beyond `VALUES_MAX` of a key.
   */
  readonly tagValue: string | null
}

/** One record. */
export interface UsageRecord extends UsageOwner, UsageAmounts {
  /** `YYYY-MM-DD`, in UTC. */
  readonly day: string
  /** The host that counted; empty for floating IPs, which belong to no host. */
  readonly host: HostName | typeof NO_HOST
  /** Until when it counted, in milliseconds since the epoch. */
  readonly untilMs: number
}

/** The `host` of what belongs to no host. */
export const NO_HOST = ''
/** Different tag keys of an account on one host and day that have records. */
export const KEYS_MAX = 20
/** Different values of one of these keys. */
export const VALUES_MAX = 50

/** The id of a record: one for each day, host and owner. */
export function usageId({
  day,
  host,
  account,
  tagKey,
  tagValue,
}: Omit<UsageRecord, keyof UsageAmounts | 'untilMs'>): string {
  const key = JSON.stringify([day, host, account, tagKey, tagValue])
  return createHash('sha256').update(key).digest('hex').slice(0, 40)
}

/** Both together. */
export function addUsage(a: UsageAmounts, b: UsageAmounts): UsageAmounts {
  return {
    instanceSeconds: a.instanceSeconds + b.instanceSeconds,
    vcpuSeconds: a.vcpuSeconds + b.vcpuSeconds,
    memoryMiBSeconds: a.memoryMiBSeconds + b.memoryMiBSeconds,
    diskGiBSeconds: a.diskGiBSeconds + b.diskGiBSeconds,
    addressSeconds: a.addressSeconds + b.addressSeconds,
  }
}

/** Each amount, changed. */
export function mapUsage(amounts: UsageAmounts, change: (amount: number) => number): UsageAmounts {
  const entries = USAGE_AMOUNTS.map((name) => [name, change(amounts[name])])
  return { ...NO_USAGE, ...Object.fromEntries(entries) }
}

/** So many times as much. */
export function timesUsage(amounts: UsageAmounts, times: number): UsageAmounts {
  return mapUsage(amounts, (amount) => amount * times)
}

const DAY_MS = 86_400_000

/** The UTC day of a time. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Whether the text is a day, `YYYY-MM-DD`. */
export function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && dayOrUndefined(text) === text
}

function dayOrUndefined(text: string): string | undefined {
  const ms = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(ms) ? undefined : dayOf(ms)
}

/** The days that a span of time touches, in order, with the part of it in each. */
export function daysBetween(
  fromMs: number,
  toMs: number,
): readonly { readonly day: string; readonly fromMs: number; readonly toMs: number }[] {
  const parts = []
  for (let at = fromMs; at < toMs; ) {
    const end = Math.min((Math.floor(at / DAY_MS) + 1) * DAY_MS, toMs)
    parts.push({ day: dayOf(at), fromMs: at, toMs: end })
    at = end
  }
  return parts
}

/** Whether usage is kept by this key, unless the settings name keys. */
export function isUsageKey(key: string): boolean {
  const hasEffect = isLeverTag(key) || isRecoveryTag(key) || isStorageTag(key)
  return key !== 'Name' && !isReservedKey(key) && !hasEffect
}
