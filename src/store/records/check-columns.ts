/** Columns of an instance that say what its host found out by asking it. Pure. */
import { z } from 'zod'
import { REBOOTS_PER_DAY } from '../../model/hang.ts'
import { CHECK_RESULTS, type CheckResult, type InstanceCheck } from '../../model/instance-check.ts'
import { count, time } from './columns.ts'

/** The columns. An older daemon leaves them empty: nothing is known. */
export interface CheckColumns {
  readonly checkBoot?: number | null | undefined
  readonly checkResult?: CheckResult | null | undefined
  readonly checkSince?: string | null | undefined
  readonly checkAnswered?: number | null | undefined
  readonly checkRebootAt?: string | null | undefined
}

/** When a host rebooted an instance: times with a space between. */
export interface RebootedColumn {
  readonly rebooted?: string | null | undefined
}

/** How they are parsed. What a newer daemon may find out counts as `unknown`. */
export const checkSchema = {
  checkBoot: count.nullable().optional(),
  checkResult: z.enum(CHECK_RESULTS).catch('unknown').nullable().optional(),
  checkSince: time.nullable().optional(),
  checkAnswered: count.nullable().optional(),
  checkRebootAt: time.nullable().optional(),
  rebooted: z
    .string()
    .max(255)
    .refine((column) => timesOf(column).every((one) => time.safeParse(one).success), 'are no times')
    .nullable()
    .optional(),
}

/** As columns. */
export function checkColumns(check: InstanceCheck | undefined): CheckColumns {
  return {
    checkBoot: check?.bootCount ?? null,
    checkResult: check?.result ?? null,
    checkSince: check?.since ?? null,
    checkAnswered: check?.answered === true ? 1 : null,
    checkRebootAt: check?.rebootAt ?? null,
  }
}

/** From columns. */
export function checkFrom(columns: CheckColumns): { readonly check?: InstanceCheck } {
  const { checkBoot: bootCount, checkResult: result, checkSince: since } = columns
  if (bootCount == null || result == null || since == null) return {}
  const answered = columns.checkAnswered === 1 ? { answered: true as const } : {}
  const { checkRebootAt: rebootAt } = columns
  const announced = rebootAt == null ? {} : { rebootAt }
  return { check: { bootCount, result, since, ...answered, ...announced } }
}

/** As a column. */
export function rebootedColumn(rebooted: readonly string[] | undefined): RebootedColumn {
  return { rebooted: rebooted?.slice(-REBOOTS_PER_DAY).join(' ') ?? null }
}

/** From a column. */
export function rebootedFrom(column: string | null | undefined): {
  readonly rebooted?: readonly string[]
} {
  return column == null ? {} : { rebooted: timesOf(column) }
}

function timesOf(column: string): readonly string[] {
  return column.split(' ').filter((one) => one !== '')
}
