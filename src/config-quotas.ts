/** The section `api.quotas`: what one account may have. */
import { z } from 'zod'
import { QUOTA_NAMES, QUOTAS, type QuotaName } from './model/quotas.ts'

type Limit = z.ZodDefault<z.ZodInt>

const limits = Object.fromEntries(QUOTA_NAMES.map((name) => [name, limitOf(name)])) as {
  readonly [Name in QuotaName]: Limit
}

/** A limit for each quota (`model/quotas.ts`). */
export const quotas = z.strictObject(limits).prefault({})

function limitOf(name: QuotaName): Limit {
  const { least, greatest, usual, what } = QUOTAS[name]
  return z.int().min(least).max(greatest).default(usual).describe(what)
}
