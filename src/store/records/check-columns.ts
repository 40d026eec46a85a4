/** Columns of an instance that say what its host found out by asking it. Pure. */
import { z } from 'zod'
import { CHECK_RESULTS, type CheckResult, type InstanceCheck } from '../../model/instance-check.ts'
import { count, time } from './columns.ts'

/** The columns. An older daemon leaves them empty: nothing is known. */
export interface CheckColumns {
  readonly checkBoot?: number | null | undefined
  readonly checkResult?: CheckResult | null | undefined
  readonly checkSince?: string | null | undefined
}

/** How they are parsed. What a newer daemon may find out counts as `unknown`. */
export const checkSchema = {
  checkBoot: count.nullable().optional(),
  checkResult: z.enum(CHECK_RESULTS).catch('unknown').nullable().optional(),
  checkSince: time.nullable().optional(),
}

/** As columns. */
export function checkColumns(check: InstanceCheck | undefined): CheckColumns {
  return {
    checkBoot: check?.bootCount ?? null,
    checkResult: check?.result ?? null,
    checkSince: check?.since ?? null,
  }
}

/** From columns. */
export function checkFrom(columns: CheckColumns): { readonly check?: InstanceCheck } {
  const { checkBoot: bootCount, checkResult: result, checkSince: since } = columns
  if (bootCount == null || result == null || since == null) return {}
  return { check: { bootCount, result, since } }
}
