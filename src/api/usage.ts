/**
 * The operator's question what accounts have used: `atoll usage`, over the operator's socket.
 *
 * It is answered from the records only. A host's copy has no usage.
 */
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import { refused } from '../model/errors.ts'
import { addUsage, dayOf, isDay, mapUsage, timesUsage, type UsageAmounts } from '../model/usage.ts'
import type { UsageQuery, UsageSum } from '../store/records/usage.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import { findAccount } from './accounts/find-account.ts'

/** One line of `atoll usage`. Hours have two decimals. */
export interface UsageReport {
  /** `YYYY-MM-DD`, in UTC. Null: the whole time. */
  readonly day: string | null
  readonly account: string
  readonly accountName: string | null
  /** Null: no tag was asked for. */
  readonly tag: string | null
  /** `others`: values that have no line of their own. `none`: without the tag. */
  readonly kind: 'total' | 'value' | 'others' | 'none'
  /** Null unless it is of one value of the tag. */
  readonly value: string | null
  readonly instanceHours: number
  readonly vcpuHours: number
  readonly memoryGiBHours: number
  readonly diskGiBHours: number
  readonly addressHours: number
}

/** The answer. */
export interface UsageDocument {
  readonly from: string
  readonly to: string
  readonly rows: readonly UsageReport[]
}

interface UsageRouteOptions {
  readonly store: InformedStore
  readonly clock: Clock
}

const TAG_KEY_MAX = 128

/** Adds the route to the server that only root can reach. */
export function addUsageRoutes(server: FastifyInstance, { store, clock }: UsageRouteOptions): void {
  server.get<{ Querystring: Record<string, unknown> }>(
    '/v1/usage',
    async ({ query }): Promise<UsageDocument> => {
      const asked = parseAsked(query, clock.now())
      const { value } = await store.read(
        async (tx) => {
          const accounts = await tx.accounts()
          const of = asked.account === null ? null : await findAccount(tx, asked.account)
          const { from, to, daily } = asked
          const sums: UsageQuery = {
            ...{ from, to, daily, tagKey: '' },
            ...(of === null ? {} : { account: of.id }),
          }
          const totals = await tx.usageSums(sums)
          const values =
            asked.tag === null ? [] : await tx.usageSums({ ...sums, tagKey: asked.tag })
          return { accounts, totals, values }
        },
        { mayBeOld: false },
      )
      const names = new Map(value.accounts.map(({ id, name }) => [id as string, name]))
      const rows =
        asked.tag === null
          ? value.totals.map((sum) => report(sum, 'total', null, names))
          : byTag(asked.tag, value.totals, value.values, names)
      return { from: asked.from, to: asked.to, rows }
    },
  )
}

interface Asked extends Pick<UsageQuery, 'from' | 'to' | 'daily'> {
  readonly account: string | null
  /** The key. */
  readonly tag: string | null
}

/** Without days: from the first of this month to today. */
function parseAsked(query: Readonly<Record<string, unknown>>, nowMs: number): Asked {
  const today = dayOf(nowMs)
  const to = dayIn(query, 'to') ?? today
  const from = dayIn(query, 'from') ?? `${to.slice(0, 8)}01`
  if (from > to)
    throw refused('InvalidParameterValue', `The first day, ${from}, is after the last, ${to}`)
  const tag = textIn(query, 'by-tag')
  if (tag !== null && (tag === '' || [...tag].length > TAG_KEY_MAX))
    throw refused('InvalidParameterValue', 'by-tag must be the key of a tag, as in: team')
  return { from, to, tag, account: textIn(query, 'account'), daily: query['daily'] === 'true' }
}

function textIn(query: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = query[name]
  if (value === undefined) return null
  if (typeof value === 'string') return value
  throw refused('InvalidParameterValue', `${name} is given twice`)
}

function dayIn(query: Readonly<Record<string, unknown>>, name: string): string | null {
  const day = textIn(query, name)
  if (day === null || isDay(day)) return day
  throw refused(
    'InvalidParameterValue',
    `"${day.slice(0, 40)}" is not a day; ${name} must be a day in UTC, as in: 2026-11-29`,
  )
}

/** Each value, what has no line of its own, and what is without the tag. */
function byTag(
  tag: string,
  totals: readonly UsageSum[],
  values: readonly UsageSum[],
  names: ReadonlyMap<string, string>,
): readonly UsageReport[] {
  const valuesOf = Map.groupBy(values, ownerOf)
  return totals.flatMap((total) => {
    const own = valuesOf.get(ownerOf(total)) ?? []
    const left = own.reduce(
      (rest: UsageAmounts, value) => addUsage(rest, timesUsage(value, -1)),
      total,
    )
    const none = { ...total, ...withoutNegative(left), tagValue: null }
    const lines = own.map((sum) =>
      report(sum, sum.tagValue === null ? 'others' : 'value', tag, names),
    )
    return [...lines, ...(hasUsage(none) ? [report(none, 'none', tag, names)] : [])]
  })
}

function ownerOf({ account, day }: UsageSum): string {
  return `${account} ${day ?? ''}`
}

/** Sums of rounded amounts may differ by some seconds. */
function withoutNegative(amounts: UsageAmounts): UsageAmounts {
  return mapUsage(amounts, (amount) => Math.max(amount, 0))
}

/** Whether it is at least a hundredth of an hour of anything. */
function hasUsage(sum: UsageSum): boolean {
  const { instanceHours, vcpuHours, memoryGiBHours, diskGiBHours, addressHours } = hours(sum)
  return instanceHours + vcpuHours + memoryGiBHours + diskGiBHours + addressHours > 0
}

function report(
  sum: UsageSum,
  kind: UsageReport['kind'],
  tag: string | null,
  names: ReadonlyMap<string, string>,
): UsageReport {
  const { account, day, tagValue } = sum
  const accountName = names.get(account) ?? null
  return { day, account, accountName, tag, kind, value: tagValue, ...hours(sum) }
}

const MIB_PER_GIB = 1024

function hours(sum: UsageAmounts) {
  const of = (seconds: number) => Math.round(seconds / 36) / 100
  return {
    instanceHours: of(sum.instanceSeconds),
    vcpuHours: of(sum.vcpuSeconds),
    memoryGiBHours: of(sum.memoryMiBSeconds / MIB_PER_GIB),
    diskGiBHours: of(sum.diskGiBSeconds),
    addressHours: of(sum.addressSeconds),
  }
}
