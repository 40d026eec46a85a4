/**
 * The operator's commands for accounts: `atoll accounts`, over the operator's socket.
 *
 * Each request reads the status of its key's account, so a disabled account is refused at once on
 * every host that reaches the database. A host that is cut off uses its copy for at most
 * `api.replicaKeysSeconds`.
 */
import type { FastifyInstance } from 'fastify'
import { ringConcerned } from '../../bus/ring.ts'
import { isoTime } from '../../lib/clock.ts'
import type { Account, AccountStatus } from '../../model/account-records.ts'
import { AtollError, refused } from '../../model/errors.ts'
import { type AccountId, newIds, parseAccountId } from '../../model/ids.ts'
import { NO_PREFERENCE } from '../../model/metadata-options.ts'
import {
  isQuota,
  NOT_COUNTED,
  type OwnQuotas,
  parseQuotaName,
  QUOTA_NAMES,
  QUOTAS,
  type QuotaName,
  quotasOf,
  UNLIMITED,
} from '../../model/quotas.ts'
import type { Version } from '../../model/version.ts'
import { announcing } from '../../store/announce.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiParts } from '../action.ts'
import { makeDefaultVpc } from '../networks/new-networks.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { createKey, type KeyRouteOptions } from './access-keys.ts'
import { findAccount } from './find-account.ts'

/** A row of `atoll accounts list`. */
export interface AccountReport {
  readonly id: string
  readonly name: string
  readonly status: AccountStatus
  readonly createdAt: string | null
  /** Of its instances that are not terminated, and its volumes. */
  readonly instances: number
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  /** Active access keys. */
  readonly keys: number
}

/** The result of a command about an account. */
export interface AccountChangeReport {
  readonly id: string
  readonly name: string
  readonly status: AccountStatus
  /** The key of a new account's administrator. Its secret is never shown again. */
  readonly key: { readonly id: string; readonly secret: string | null } | null
  /** What the operator should know, in words. */
  readonly warning: string | null
}

/** One quota of an account. */
export interface QuotaReport {
  readonly name: QuotaName
  readonly limit: number
  /** Whether the account's record or the settings say so. */
  readonly source: 'account' | 'settings'
  readonly what: string
}

/** What the routes need. */
export interface AccountRouteOptions extends KeyRouteOptions {
  readonly store: InformedStore
  readonly parts: Pick<ApiParts, 'settings' | 'bus'>
}

/** The characters of an account's name; `/^\d{12}$/` would be an id. */
const NAME = /^(?!\d{12}$)[\w.@ -]{1,64}$/
/** Maximum number of accounts. Every host copies them, and each has a network of its own. */
const ACCOUNTS_LIMIT = 1_000
/** Transactions that make accounts take this turn, so that names and their number are certain. */
const MAKERS = parseAccountId('000000000000')
/** Older daemons accept keys of disabled accounts, and know the quotas of the settings only. */
const ACCOUNTS_VERSION: Version = [0, 4]

/** Adds the routes to the server that only root can reach. */
export function addAccountRoutes(server: FastifyInstance, options: AccountRouteOptions): void {
  const { store, log, parts } = options
  const ringing = announcing(store, (scopes) => ringConcerned(parts.bus, scopes))
  server.get(
    '/v1/accounts',
    async (): Promise<readonly AccountReport[]> => (await store.read(reportAll)).value,
  )
  server.get<{ Params: { account: string } }>(
    '/v1/accounts/:account/quotas',
    async ({ params }): Promise<readonly QuotaReport[]> => {
      const { value } = await store.read((tx) => findAccount(tx, params.account))
      return quotaReport(value, options)
    },
  )
  server.post<{ Params: { account: string }; Querystring: Record<string, unknown> }>(
    '/v1/accounts/:account/quotas',
    async ({ params, query }): Promise<readonly QuotaReport[]> => {
      const change = askedQuotas(query)
      const account = await store.change((tx) => setQuotas(tx, params.account, change, options))
      log.info({ account: account.id, quotas: account.quotas }, 'quotas of an account changed')
      return quotaReport(account, options)
    },
  )
  server.post<{ Params: { account: string; order: string } }>(
    '/v1/accounts/:account/:order',
    async ({ params: { account, order } }): Promise<AccountChangeReport> => {
      const report =
        order === 'create'
          ? await ringing.change((tx) => createAccount(tx, account, options))
          : await store.change((tx) => setStatus(tx, account, order, options))
      log.info({ order, account: report.id }, 'account command carried out')
      return report
    },
  )
}

async function createAccount(
  tx: Tx,
  name: string,
  options: AccountRouteOptions,
): Promise<AccountChangeReport> {
  if (!NAME.test(name) || name.trim() !== name)
    throw refused(
      'InvalidParameterValue',
      `"${name}" is not a name of an account: 1 to 64 characters of A-Z a-z 0-9 _ . @ - and spaces, and not twelve digits`,
    )
  if (MAKERS !== undefined) await tx.takeTurn(MAKERS)
  const accounts = await tx.accounts()
  if (accounts.some((one) => one.name === name))
    throw refused('InvalidParameterValue', `There is an account "${name}" already`)
  if (accounts.length >= ACCOUNTS_LIMIT)
    throw refused(
      'InvalidParameterValue',
      `There are ${ACCOUNTS_LIMIT} accounts, which is the limit`,
    )
  const id = newAccountId(options.random)
  const createdAt = isoTime(options.clock.now())
  const account = { id, name, metadata: NO_PREFERENCE, createdAt }
  if ((await tx.insertAccount(account)) === 'exists')
    throw refused('InvalidParameterValue', 'The new id was taken; try again')
  const warning = await addDefaultVpc(tx, id, options)
  const admin = { user: 'admin', account: id, rights: 'all' } as const
  const { id: keyId, secret } = await createKey(tx, { ...options, now: createdAt }, admin)
  return { id, name, status: 'active', key: { id: keyId, secret }, warning }
}

/** Twelve digits without a zero in front, which tools might cut off. */
function newAccountId(random: (bytes: number) => Uint8Array): AccountId {
  const number = Buffer.from(random(6)).readUIntBE(0, 6)
  const id = parseAccountId(String(100_000_000_000 + (number % 900_000_000_000)))
  if (id === undefined) throw new RangeError('an account id has twelve digits')
  return id
}

/** Makes the account's default VPC. Returns what to tell the operator when it cannot have one. */
async function addDefaultVpc(
  tx: Tx,
  account: AccountId,
  { parts: { settings }, random }: AccountRouteOptions,
): Promise<string | null> {
  try {
    await makeDefaultVpc(tx, { account, newId: newIds(random), settings })
    return null
  } catch (error) {
    if (!(error instanceof AtollError) || error.kind !== 'refused') throw error
    return `the account has no default VPC (${error.message}); it can make a VPC of another range with CreateVpc`
  }
}

async function setStatus(
  tx: Tx,
  text: string,
  order: string,
  { parts: { settings } }: AccountRouteOptions,
): Promise<AccountChangeReport> {
  if (order !== 'enable' && order !== 'disable')
    throw refused(
      'InvalidParameterValue',
      'Unknown account command; use create, enable, disable or quota',
    )
  const { id, name } = await findAccount(tx, text)
  const status = order === 'disable' ? 'disabled' : 'active'
  if (status === 'disabled')
    await refuseOlderHosts(tx, settings, ACCOUNTS_VERSION, 'disabled accounts')
  await tx.changeAccount(id, { status })
  const { instances } = await tx.accountUsage(id)
  const warning =
    status === 'disabled' && instances > 0
      ? `its ${instances} instance(s) go on; nobody can change or terminate them until: atoll accounts enable ${id}`
      : null
  return { id, name, status, key: null, warning }
}

/** The quotas to set. Null: as in the settings. */
type QuotaChange = readonly (readonly [QuotaName, number | null])[]

/** `{ instances: '10', vcpus: 'default' }`. */
function askedQuotas(query: Readonly<Record<string, unknown>>): QuotaChange {
  const asked = Object.entries(query).map(([key, value]) => {
    const name = parseQuotaName(key)
    if (name === undefined)
      throw refused(
        'InvalidParameterValue',
        `There is no quota "${key}"; there are: ${QUOTA_NAMES.join(', ')}`,
      )
    if (value === 'default') return [name, null] as const
    const { least, greatest } = QUOTAS[name]
    const isUnlimited = value === UNLIMITED && greatest === NOT_COUNTED
    const number =
      typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN
    const limit = isUnlimited ? NOT_COUNTED : number
    if (!isQuota(name, limit))
      throw refused(
        'InvalidParameterValue',
        `${name} must be a whole number from ${least} to ${greatest}, or: default${greatest === NOT_COUNTED ? `, ${UNLIMITED}` : ''}`,
      )
    return [name, limit] as const
  })
  if (asked.length === 0)
    throw refused('InvalidParameterValue', 'Name at least one quota, as in: instances=10')
  return asked
}

async function setQuotas(
  tx: Tx,
  text: string,
  change: QuotaChange,
  { parts: { settings } }: AccountRouteOptions,
): Promise<Account> {
  await refuseOlderHosts(tx, settings, ACCOUNTS_VERSION, 'quotas of accounts')
  const account = await findAccount(tx, text)
  const own: { -readonly [Name in QuotaName]?: number } = { ...account.quotas }
  for (const [name, limit] of change)
    if (limit === null) delete own[name]
    else own[name] = limit
  const quotas: OwnQuotas = own
  await tx.changeAccount(account.id, { quotas })
  return { ...account, quotas }
}

function quotaReport(
  { quotas }: Account,
  { parts: { settings } }: AccountRouteOptions,
): readonly QuotaReport[] {
  const limits = quotasOf(settings.quotas, quotas)
  return QUOTA_NAMES.map((name) => ({
    name,
    limit: limits[name],
    source: quotas[name] === undefined ? 'settings' : 'account',
    what: QUOTAS[name].what,
  }))
}

async function reportAll(tx: ReadTx): Promise<readonly AccountReport[]> {
  const reports: AccountReport[] = []
  for (const { id, name, status, createdAt } of await tx.accounts()) {
    const keys = (await tx.accessKeys(id)).filter((key) => key.status !== 'disabled').length
    reports.push({ id, name, status, createdAt, ...(await tx.accountUsage(id)), keys })
  }
  return reports
}
