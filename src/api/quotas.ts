/** The quotas of one account, and what it has of what its hosts have. */
import { type ErrorCode, refused, unavailable } from '../model/errors.ts'
import type { AccountId } from '../model/ids.ts'
import { type MetadataDefaults, NO_PREFERENCE } from '../model/metadata-options.ts'
import { QUOTAS, type Quotas, quotasOf } from '../model/quotas.ts'
import type { ReadTx, Tx } from '../store/store.ts'
import type { ApiSettings } from './action.ts'

/**
 * The settings with the account's own quotas, and its defaults of metadata options. Errors:
 * `unavailable` when its record cannot be read, because it may say less than the settings.
 */
export async function settingsOf(
  tx: ReadTx,
  account: AccountId,
  settings: ApiSettings,
): Promise<{ readonly settings: ApiSettings; readonly metadata: MetadataDefaults }> {
  const record = await tx.account(account)
  if (record === undefined && tx.unreadable().some(({ table }) => table === 'accounts'))
    throw unavailable(
      'The record of this account cannot be read, so its quotas are not known; `atoll status` names it',
    )
  return {
    settings: { ...settings, quotas: quotasOf(settings.quotas, record?.quotas ?? {}) },
    metadata: record?.metadata ?? NO_PREFERENCE,
  }
}

/** What instances take. */
interface Taken {
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
}

type CountedQuotas = Pick<Quotas, (typeof COUNTED)[number]>

const COUNTED = ['instances', 'vcpus', 'memoryMiB', 'diskGiB'] as const

/** The code and the message of each limit. EC2 has none for memory. */
const EXCEEDED: Readonly<
  Record<keyof CountedQuotas, readonly [ErrorCode, (asked: number, limit: number) => string]>
> = {
  instances: [
    'InstanceLimitExceeded',
    (asked, limit) =>
      `You have requested more instances (${asked}) than your current instance limit of ${limit} allows.`,
  ],
  vcpus: [
    'VcpuLimitExceeded',
    (asked, limit) =>
      `You have requested more vCPU capacity (${asked}) than your current vCPU limit of ${limit} allows.`,
  ],
  memoryMiB: [
    'InstanceLimitExceeded',
    (asked, limit) =>
      `You have requested more memory (${asked} MiB) than your current memory limit of ${limit} MiB allows.`,
  ],
  diskGiB: [
    'VolumeLimitExceeded',
    (asked, limit) =>
      `You have requested more storage (${asked} GiB) than your current storage limit of ${limit} GiB allows.`,
  ],
}

/**
 * The number of instances, at most `most`, that the account may have besides those that it has.
 * Errors: when that is less than `least`, the code of the limit. Of two launches at the same moment
 * one counts what the other has made. Nothing is counted for a limit that is not below the default,
 * because launches of an account that is counted wait for each other.
 */
export async function allowedInstances(
  tx: Tx,
  account: AccountId,
  quotas: Quotas,
  each: Taken,
  { least, most }: { readonly least: number; readonly most: number },
): Promise<number> {
  const limited = limitedQuotas(quotas)
  if (limited.length === 0) return most
  await tx.takeTurn(account)
  const has = await tx.accountUsage(account)
  const one = { instances: 1, ...each }
  let allowed = most
  for (const name of limited) {
    const room = quotas[name] - has[name]
    const fits = one[name] === 0 ? most : Math.max(0, Math.floor(room / one[name]))
    if (fits < least) throw exceeded(name, has[name] + least * one[name], quotas[name])
    allowed = Math.min(allowed, fits)
  }
  return allowed
}

/** Refuses a change by which the account's instances take more than it may have. */
export async function refuseMore(
  tx: Tx,
  account: AccountId,
  quotas: Quotas,
  more: Pick<Taken, 'vcpus' | 'memoryMiB'>,
): Promise<void> {
  const limited = limitedQuotas(quotas).filter((name): name is keyof typeof more =>
    Object.hasOwn(more, name),
  )
  if (limited.length === 0) return
  await tx.takeTurn(account)
  const has = await tx.accountUsage(account)
  for (const name of limited)
    if (more[name] > 0 && has[name] + more[name] > quotas[name])
      throw exceeded(name, has[name] + more[name], quotas[name])
}

/** Those with a limit below the default, which is as good as none. */
function limitedQuotas(quotas: Quotas): readonly (keyof CountedQuotas)[] {
  return COUNTED.filter((name) => quotas[name] < QUOTAS[name].usual)
}

function exceeded(name: keyof CountedQuotas, asked: number, limit: number): Error {
  const [code, message] = EXCEEDED[name]
  return refused(code, message(asked, limit))
}
