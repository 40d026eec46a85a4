/**
 * Counts what the instances and volumes of this host use, and what floating IPs are allocated, and
 * keeps it in usage records (`model/usage.ts`).
 *
 * What runs is counted by a clock that never jumps, from pass to pass, and written every
 * `WRITE_MS`. A daemon that starts counts what still runs since the last writing, because instances
 * go on without it; not before the machine was started. So what a crash loses is the use, in the
 * last `WRITE_MS` before it, of what ended before the daemon was back.
 *
 * Floating IPs belong to no host. Whichever host first finds that nobody has counted them for
 * `WRITE_MS` counts all of them, since they were counted last.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Counter, Metrics } from '../lib/metrics.ts'
import { type AccountId, type HostName, parseAccountId } from '../model/ids.ts'
import {
  dayOf,
  daysBetween,
  mapUsage,
  NO_HOST,
  timesUsage,
  USAGE_AMOUNTS,
  type UsageAmounts,
  type UsageRecord,
} from '../model/usage.ts'
import {
  addTo,
  emptySums,
  restore,
  type UsageInput,
  type UsageKeys,
  type UsageSums,
  type Used,
  usedBetween,
  usedBy,
  usedByAddress,
} from '../plan/usage.ts'
import type { Snapshot } from '../plan/want.ts'
import type { Store, Tx } from '../store/store.ts'
import type { Duty } from './duty.ts'

/** How usage is kept. */
export interface UsageSettings {
  /** Days that records are kept. */
  readonly keepDays: number
  readonly tagKeys: UsageKeys
  /** How long this machine has been up. */
  readonly machineUptimeMs: () => number
}

interface UsageParts extends UsageSettings {
  readonly store: Store
  readonly host: HostName
  readonly clock: Clock
  readonly metrics: Metrics
}

const WRITE_MS = 60_000
/** What runs is not counted further back than this after the daemon was away. */
const AWAY_MAX_MS = 31 * 86_400_000
/** What was counted until a time that lies further ahead was counted by a wrong clock. */
const AHEAD_MS = 60 * 60_000
/** Records in one transaction. */
const BATCH = 50
/** How long a daemon that ends waits for its last writing. */
const CLOSE_MS = 2_000
/** Those who count floating IPs take this turn. */
const COUNTERS = parseAccountId('000000000000')

/** The duty of a host. */
export function createUsage(parts: UsageParts): Duty {
  return new Usage(parts)
}

/** Something that is used. */
interface Entry {
  readonly used: Used
  /** By the monotonic clock: it has been added up until then. */
  countedAt: number
}

/** The sums of a day, and what was written of them. */
interface Day {
  readonly sums: UsageSums
  readonly written: Map<string, string>
  /** Whether the sums include what this host had written before. */
  isLoaded: boolean
}

class Usage implements Duty {
  readonly name = 'usage'
  readonly #parts: UsageParts
  readonly #counters: Readonly<Record<keyof UsageAmounts, Counter<'account'>>>
  readonly #days = new Map<string, Day>()
  #passes = 0
  #records: UsageInput | null = null
  #entries: ReadonlyMap<Used['id'], Entry> = new Map()
  /** By the monotonic clock. */
  #lookedAt = 0
  #writtenAt: number
  #purged = ''

  constructor(parts: UsageParts) {
    this.#parts = parts
    this.#writtenAt = parts.clock.monotonic()
    const counter = (name: string, what: string) =>
      parts.metrics.counter(
        `atoll_account_${name}_seconds_total`,
        `${what} of each account, in seconds, as counted by this host since its daemon started`,
        ['account'],
      )
    this.#counters = {
      instanceSeconds: counter('instance', 'Time of running instances'),
      vcpuSeconds: counter('vcpu', 'Time of their vCPUs'),
      memoryMiBSeconds: counter('memory_mib', 'Time of each MiB of their memory'),
      diskGiBSeconds: counter('disk_gib', 'Time of each GiB of volumes'),
      addressSeconds: counter('address', 'Time of allocated floating IPs'),
    }
  }

  async run(snapshot: Snapshot): Promise<boolean> {
    const { clock } = this.#parts
    this.#passes += 1
    // The first pass finds out what still runs.
    if (this.#passes === 1) return false
    if (this.#records === null) await this.#begin(snapshot)
    const now = clock.monotonic()
    if (!isSame(this.#records, snapshot)) this.#look(snapshot, clock.now() - (now - this.#lookedAt))
    this.#lookedAt = now
    if (now - this.#writtenAt >= WRITE_MS) {
      this.#writtenAt = now
      this.#countAll()
      await this.#write()
      await this.#countAddresses()
    }
    return false
  }

  async close(): Promise<void> {
    if (this.#records === null) return
    this.#countAll()
    await inTime(this.#parts.clock, CLOSE_MS, this.#write()).catch(() => undefined)
  }

  /** Goes on with what was written, and counts what has been running since then. */
  async #begin(snapshot: Snapshot): Promise<void> {
    const { store, host, clock, machineUptimeMs } = this.#parts
    const nowMs = clock.now()
    const latestMs = nowMs + AHEAD_MS
    const until = (await store.read((tx) => tx.usageCountedUntil(host, latestMs))) ?? nowMs
    const fromMs = Math.min(Math.max(until, nowMs - AWAY_MAX_MS), nowMs)
    await this.#load(dayOf(nowMs))
    this.#look(snapshot, fromMs, nowMs - machineUptimeMs())
  }

  /** Counts what ends or changes. What is new has been used since `fromMs` at the earliest. */
  #look(snapshot: Snapshot, fromMs: number, machineSinceMs = fromMs): void {
    const { clock } = this.#parts
    const entries = new Map<Used['id'], Entry>()
    const parts = daysBetween(fromMs, clock.now())
    for (const used of usedBy(snapshot)) {
      const known = this.#entries.get(used.id)
      if (known !== undefined && isSameUse(known.used, used)) {
        entries.set(used.id, known)
        continue
      }
      entries.set(used.id, { used, countedAt: clock.monotonic() })
      if (known === undefined)
        for (const part of parts)
          this.#add(part.day, used, usedBetween(used, part.fromMs, part.toMs, machineSinceMs))
    }
    for (const [id, entry] of this.#entries) if (entries.get(id) !== entry) this.#count(entry)
    this.#entries = entries
    this.#records = snapshot
  }

  /** Adds what was used of it since it was counted last. */
  #count(entry: Entry): void {
    const { clock } = this.#parts
    const elapsedMs = clock.monotonic() - entry.countedAt
    entry.countedAt += elapsedMs
    const nowMs = clock.now()
    for (const { day, fromMs, toMs } of daysBetween(nowMs - elapsedMs, nowMs))
      this.#add(day, entry.used, timesUsage(entry.used.rate, (toMs - fromMs) / 1000))
  }

  #countAll(): void {
    for (const entry of this.#entries.values()) this.#count(entry)
  }

  #add(day: string, used: Used, amounts: UsageAmounts): void {
    addTo(this.#day(day).sums, used, amounts, this.#parts.tagKeys)
    this.#measure(used.account, amounts)
  }

  #measure(account: AccountId, amounts: UsageAmounts): void {
    for (const name of USAGE_AMOUNTS)
      if (amounts[name] > 0) this.#counters[name].inc({ account }, amounts[name])
  }

  /** Adds what this host has written of a day before. */
  async #load(name: string): Promise<void> {
    const { store, host } = this.#parts
    const day = this.#day(name)
    if (day.isLoaded) return
    const records = await store.read((tx) => tx.usageOf(host, name))
    for (const record of records) restore(day.sums, record, amountsOf(record))
    day.isLoaded = true
  }

  #day(day: string): Day {
    const known = this.#days.get(day) ?? {
      ...{ sums: emptySums(), written: new Map(), isLoaded: false },
    }
    this.#days.set(day, known)
    return known
  }

  /** Writes what has changed. What cannot be written now is written the next time. */
  async #write(): Promise<void> {
    const { store, host, clock, keepDays } = this.#parts
    const untilMs = clock.now()
    const today = dayOf(untilMs)
    for (const [day, { sums, written }] of this.#days) {
      await this.#load(day)
      const changed = recordsOf(sums, { day, host, untilMs }).filter(
        ([key, record]) => written.get(key) !== amountsText(record),
      )
      for (let start = 0; start < changed.length; start += BATCH) {
        const batch = changed.slice(start, start + BATCH)
        await store.change(async (tx) => {
          for (const [, record] of batch) await tx.putUsage(record)
        })
        for (const [key, record] of batch) written.set(key, amountsText(record))
      }
      if (day < today) this.#days.delete(day)
    }
    if (this.#purged === today) return
    await store.change((tx) => tx.deleteUsageBefore(dayOf(untilMs - keepDays * 86_400_000)))
    this.#purged = today
  }

  async #countAddresses(): Promise<void> {
    const { store, clock } = this.#parts
    const nowMs = clock.now()
    const isDue = (untilMs: number | null) => untilMs === null || nowMs - untilMs >= 0.9 * WRITE_MS
    const due = await store.read(
      async (tx) =>
        isDue(await tx.usageCountedUntil(NO_HOST, nowMs + AHEAD_MS)) &&
        (await tx.addresses({})).length > 0,
    )
    if (!due) return
    const counted = await store.change(async (tx) => {
      if (COUNTERS !== undefined) await tx.takeTurn(COUNTERS)
      const untilMs = await tx.usageCountedUntil(NO_HOST, nowMs + AHEAD_MS)
      return isDue(untilMs) ? await this.#countAddressesIn(tx, untilMs ?? nowMs - WRITE_MS) : []
    })
    for (const { account, amounts } of counted) this.#measure(account, amounts)
  }

  async #countAddressesIn(tx: Tx, untilMs: number) {
    const nowMs = this.#parts.clock.now()
    const addresses = await tx.addresses({})
    const tags = Map.groupBy(
      await tx.tags({ resources: addresses.map(({ id }) => id) }),
      ({ resource }) => resource,
    )
    const counted: { readonly account: AccountId; readonly amounts: UsageAmounts }[] = []
    for (const { day, fromMs, toMs } of daysBetween(
      Math.max(untilMs, nowMs - AWAY_MAX_MS),
      nowMs,
    )) {
      const sums = emptySums()
      for (const record of await tx.usageOf(NO_HOST, day)) restore(sums, record, amountsOf(record))
      for (const address of addresses) {
        const used = usedByAddress(address, tags.get(address.id) ?? [])
        const amounts = usedBetween(used, fromMs, toMs, fromMs)
        addTo(sums, used, amounts, this.#parts.tagKeys)
        counted.push({ account: used.account, amounts })
      }
      for (const [, record] of recordsOf(sums, { day, host: NO_HOST, untilMs: nowMs }))
        await tx.putUsage(record)
    }
    return counted
  }
}

/** Whether the same lists say what is used. */
function isSame(a: UsageInput | null, b: UsageInput): boolean {
  return (
    a?.instances === b.instances &&
    a.volumes === b.volumes &&
    a.types === b.types &&
    a.tags === b.tags
  )
}

/** Whether both count in the same way. */
function isSameUse(a: Used, b: Used): boolean {
  return (
    a.sinceMs === b.sinceMs &&
    USAGE_AMOUNTS.every((name) => a.rate[name] === b.rate[name]) &&
    a.tags.length === b.tags.length &&
    a.tags.every(({ key, value }, at) => key === b.tags[at]?.key && value === b.tags[at]?.value)
  )
}

/** In whole seconds, by the text of their owners. */
function recordsOf(
  { sums }: UsageSums,
  of: Pick<UsageRecord, 'day' | 'host' | 'untilMs'>,
): readonly (readonly [string, UsageRecord])[] {
  return [...sums].map(([key, { owner, amounts }]): readonly [string, UsageRecord] => [
    key,
    { ...of, ...owner, ...mapUsage(amounts, Math.round) },
  ])
}

/** The amounts of a record, without the rest. */
function amountsOf(record: UsageAmounts): UsageAmounts {
  return mapUsage(record, (amount) => amount)
}

function amountsText(record: UsageAmounts): string {
  return USAGE_AMOUNTS.map((name) => record[name]).join(' ')
}
