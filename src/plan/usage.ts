/**
 * Adds up what the instances and volumes of one host use, by account and by tag. Pure.
 *
 * Instances are counted while they run, with the vCPUs and the memory of their type. Volumes are
 * counted as long as they exist. The disk of an instance has the instance's tags.
 */
import type { AccountId, AllocationId, InstanceId, VolumeId } from '../model/ids.ts'
import type { Address, Instance, InstanceType, Tag, Volume } from '../model/records.ts'
import {
  addUsage,
  isUsageKey,
  KEYS_MAX,
  NO_USAGE,
  timesUsage,
  type UsageAmounts,
  type UsageOwner,
  VALUES_MAX,
} from '../model/usage.ts'
import type { Snapshot } from './want.ts'

/** What counts, and since when. */
export interface Used {
  readonly id: InstanceId | VolumeId | AllocationId
  readonly account: AccountId
  readonly tags: readonly Pick<Tag, 'key' | 'value'>[]
  /** What it uses in one second. */
  readonly rate: UsageAmounts
  /** It did not count before this time, in milliseconds since the epoch. */
  readonly sinceMs: number
  /** Whether it ends with the machine, and begins again. */
  readonly needsMachine: boolean
}

/** The tag keys by which usage is kept; null: any, in the order of their appearance. */
export type UsageKeys = readonly string[] | null

/** The records of a host that say what is used. */
export type UsageInput = Pick<Snapshot, 'instances' | 'volumes' | 'types' | 'tags'>

/** What a host uses now, by its own instances and volumes. */
export function usedBy(records: UsageInput): readonly Used[] {
  const types = new Map(records.types.map((type) => [type.name, type]))
  const tags = Map.groupBy(records.tags, ({ resource }) => resource)
  return [
    ...records.instances
      .filter(({ state }) => state === 'running')
      .map((instance) => usedByInstance(instance, types.get(instance.type), tags)),
    ...records.volumes.map((volume) => usedByVolume(volume, tags)),
  ]
}

type Tags = ReadonlyMap<string, readonly Tag[]>

function usedByInstance(
  { id, account, launchedAt }: Instance,
  type: InstanceType | undefined,
  tags: Tags,
): Used {
  const { vcpus = 0, memoryMiB = 0 } = type ?? {}
  return {
    ...{ id, account },
    tags: tags.get(id) ?? [],
    rate: { ...NO_USAGE, instanceSeconds: 1, vcpuSeconds: vcpus, memoryMiBSeconds: memoryMiB },
    sinceMs: Date.parse(launchedAt),
    needsMachine: true,
  }
}

function usedByVolume({ id, account, instance, sizeGiB, createdAt }: Volume, tags: Tags): Used {
  return {
    ...{ id, account },
    tags: tags.get(instance ?? id) ?? [],
    rate: { ...NO_USAGE, diskGiBSeconds: sizeGiB },
    sinceMs: Date.parse(createdAt),
    needsMachine: false,
  }
}

/** Floating IPs, which count as long as they are allocated. */
export function usedByAddress({ id, account, createdAt }: Address, tags: readonly Tag[]): Used {
  return {
    ...{ id, account, tags },
    rate: { ...NO_USAGE, addressSeconds: 1 },
    sinceMs: Date.parse(createdAt),
    needsMachine: false,
  }
}

/** Amounts by owner, of one day. */
export interface UsageSums {
  /** By the text of the owner (`ownerText`). */
  readonly sums: Map<string, { readonly owner: UsageOwner; amounts: UsageAmounts }>
  /** The keys of each account, and the values of each of them, that have sums of their own. */
  readonly keys: Map<AccountId, Map<string, Set<string>>>
}

/** Nothing so far. */
export function emptySums(): UsageSums {
  return { sums: new Map(), keys: new Map() }
}

/**
 * Adds to the sums. Values beyond the limit of their key are added up together; keys beyond the
 * limit of their account have no sum.
 */
export function addTo(
  sums: UsageSums,
  { account, tags }: Pick<Used, 'account' | 'tags'>,
  amounts: UsageAmounts,
  keys: UsageKeys,
): void {
  addOne(sums, { account, tagKey: '', tagValue: null }, amounts)
  for (const { key, value } of tags) {
    if (keys === null ? !isUsageKey(key) : !keys.includes(key)) continue
    const owner = admit(sums, account, key, value)
    if (owner !== null) addOne(sums, owner, amounts)
  }
}

/** Puts what is known of an owner into the sums, whatever the limits. */
export function restore(sums: UsageSums, owner: UsageOwner, amounts: UsageAmounts): void {
  const { account, tagKey, tagValue } = owner
  addOne(sums, { account, tagKey, tagValue }, amounts)
  if (tagKey === '') return
  const values = valuesOf(sums, account, tagKey)
  if (tagValue !== null) values.add(tagValue)
}

function admit(
  sums: UsageSums,
  account: AccountId,
  tagKey: string,
  tagValue: string,
): UsageOwner | null {
  const known = sums.keys.get(account)
  if (known?.has(tagKey) !== true && (known?.size ?? 0) >= KEYS_MAX) return null
  const values = valuesOf(sums, account, tagKey)
  if (!values.has(tagValue) && values.size >= VALUES_MAX) return { account, tagKey, tagValue: null }
  values.add(tagValue)
  return { account, tagKey, tagValue }
}

function valuesOf({ keys }: UsageSums, account: AccountId, key: string): Set<string> {
  const known = keys.get(account) ?? new Map<string, Set<string>>()
  keys.set(account, known)
  const values = known.get(key) ?? new Set<string>()
  known.set(key, values)
  return values
}

function addOne({ sums }: UsageSums, owner: UsageOwner, amounts: UsageAmounts): void {
  const key = ownerText(owner)
  const known = sums.get(key)
  if (known === undefined) sums.set(key, { owner, amounts })
  else known.amounts = addUsage(known.amounts, amounts)
}

function ownerText({ account, tagKey, tagValue }: UsageOwner): string {
  return JSON.stringify([account, tagKey, tagValue])
}

/**
 * What was used between two times. `machineSinceMs`: what needs the machine did not count before.
 */
export function usedBetween(
  { rate, sinceMs, needsMachine }: Used,
  fromMs: number,
  toMs: number,
  machineSinceMs: number,
): UsageAmounts {
  const since = Math.max(fromMs, sinceMs, needsMachine ? machineSinceMs : fromMs)
  return timesUsage(rate, Math.max(toMs - since, 0) / 1000)
}
