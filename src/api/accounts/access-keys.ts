/**
 * The operator's commands for access keys: `atoll keys`, over the operator's socket.
 *
 * A change takes effect at once on every host that reaches the database, because each request reads
 * the key. A host that is cut off uses its copy for at most `api.replicaKeysSeconds`. A secret is
 * shown once, when the key is created.
 */
import type { FastifyInstance } from 'fastify'
import { type Clock, isoTime } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { AccessKey, AccessKeyRecord } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { IAM_ID_BYTES, iamId } from '../../model/iam-names.ts'
import type { AccountId, HostName } from '../../model/ids.ts'
import { activeStatus, newKeySecret } from '../../model/key-secret.ts'
import {
  MANAGED_POLICIES,
  managedPolicyNamed,
  POLICY_SHORT_NAMES,
} from '../../model/managed-policies.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { findAccount } from './find-account.ts'
import { USERS_VERSION } from './users.ts'

/** A row of `atoll keys list`, without the secret. */
export interface KeyReport {
  readonly id: string
  readonly account: string
  readonly user: string
  readonly status: 'active' | 'disabled'
  /** `policies`: what the policies of its user allow. */
  readonly rights: 'all' | 'policies'
  readonly createdAt: string | null
  /** Rounded to the hour. */
  readonly lastUsedAt: string | null
}

/** The result of a command about a key. */
export interface KeyChangeReport extends KeyReport {
  /** The secret of a new key. It is never shown again. */
  readonly secret: string | null
  /** What the operator should know, in words. */
  readonly warning: string | null
}

/** What the routes need. */
export interface KeyRouteOptions {
  readonly store: Pick<InformedStore, 'read' | 'change'>
  readonly clock: Clock
  readonly log: Log
  readonly random: (bytes: number) => Uint8Array
  /** This host. */
  readonly self: HostName
  /** The key in the form in which it is stored. */
  readonly keep: (tx: ReadTx, key: AccessKey) => Promise<AccessKey>
  /**
   * Called when keys have changed, because the credentials file of this host may need another one.
   */
  readonly changed: () => Promise<void>
}

const USER = /^[\w.@-]{1,64}$/
/** Maximum number of keys of all accounts. Every host copies them. */
const KEYS_LIMIT = 10_000

/** Adds the routes to the server that only root can reach. */
export function addKeyRoutes(server: FastifyInstance, options: KeyRouteOptions): void {
  const { store } = options
  server.get(
    '/v1/keys',
    async (): Promise<readonly KeyReport[]> => (await store.read(allKeys)).value.map(reportOf),
  )
  server.post<{ Params: { user: string }; Querystring: { account?: unknown; policy?: unknown } }>(
    '/v1/keys/create/:user',
    async ({ params, query: { account, policy } }): Promise<KeyChangeReport> => {
      const { user } = params
      if (!USER.test(user))
        throw refused(
          'InvalidParameterValue',
          `"${user}" is not a user name: 1 to 64 characters of A-Z a-z 0-9 _ . @ -`,
        )
      return finish(options, 'create', async (tx) =>
        createUserKey(tx, options, { user, account: await ownerOf(tx, account), policy }),
      )
    },
  )
  server.post<{ Params: { id: string; order: string } }>(
    '/v1/keys/:id/:order',
    async ({ params }): Promise<KeyChangeReport> => {
      const { id, order } = params
      return finish(options, order, (tx) => carryOut(tx, options, id, order))
    },
  )
}

async function finish(
  { store, log, changed }: KeyRouteOptions,
  order: string,
  work: (tx: Tx) => Promise<KeyChangeReport>,
): Promise<KeyChangeReport> {
  const report = await store.change(work)
  const { id, user, account } = report
  log.info({ order, accessKey: id, user, account }, 'access key command carried out')
  await changed().catch((error: unknown) => {
    log.warn({ error }, 'the credentials file could not be written')
  })
  return report
}

/** The account that was named by id or name, or the first one. */
async function ownerOf(tx: ReadTx, text: unknown): Promise<AccountId> {
  if (typeof text === 'string') return (await findAccount(tx, text)).id
  const first = (await tx.accounts())[0]?.id
  if (first !== undefined) return first
  throw refused(
    'InvalidParameterValue',
    'There is no account yet; start atolld on a host that reaches the database',
  )
}

/**
 * Makes a key for a user: with the rights of the policies that the user has, or that it gets with
 * `policy`; with all rights, if there is no such user.
 */
async function createUserKey(
  tx: Tx,
  options: KeyRouteOptions,
  { user, account, policy }: Pick<AccessKey, 'user' | 'account'> & { readonly policy: unknown },
): Promise<KeyChangeReport> {
  const now = isoTime(options.clock.now())
  await tx.takeTurn(account)
  const known = await tx.user(account, user)
  if (policy !== undefined)
    await giveTo(tx, options, { user, account, policy, isNew: known === undefined, now })
  const rights = known === undefined && policy === undefined ? 'all' : 'policies'
  return await createKey(tx, { ...options, now }, { user, account, rights })
}

/** Attaches a managed policy to the user, which is made if there is none. */
async function giveTo(
  tx: Tx,
  { self, random }: KeyRouteOptions,
  {
    user,
    account,
    policy,
    isNew,
    now,
  }: Pick<AccessKey, 'user' | 'account'> & {
    readonly policy: unknown
    readonly isNew: boolean
    readonly now: string
  },
): Promise<void> {
  const text = String(policy)
  const managed = managedPolicyNamed(POLICY_SHORT_NAMES[text] ?? text)
  if (managed === undefined)
    throw refused(
      'InvalidParameterValue',
      `There is no policy "${text}"; there are: ${[...Object.keys(POLICY_SHORT_NAMES), ...MANAGED_POLICIES.map(({ name }) => name)].join(', ')}`,
    )
  await refuseOlderHosts(tx, { host: self }, USERS_VERSION, 'users with policies')
  if ((await tx.accessKeys(account)).some((key) => key.user === user && key.rights !== 'policies'))
    throw refused(
      'InvalidParameterValue',
      `The user "${user}" has keys with all rights, which no policy limits: delete them first, or choose another name`,
    )
  if (isNew)
    await tx.insertUser({
      ...{ account, name: user, createdAt: now },
      id: iamId('AIDA', random(IAM_ID_BYTES)),
    })
  const owner = `user/${user}` as const
  await tx.putIdentityPolicy({ account, owner, kind: 'managed', name: managed.arn, document: '' })
}

/** Makes an active key. Errors: `RequestLimitExceeded` when there are too many. */
export async function createKey(
  tx: Tx,
  {
    random,
    keep,
    now: createdAt,
  }: Pick<KeyRouteOptions, 'random' | 'keep'> & { readonly now: string },
  { user, account, rights }: Pick<AccessKeyRecord, 'user' | 'account' | 'rights'>,
): Promise<KeyChangeReport> {
  if ((await tx.countAccessKeys()) >= KEYS_LIMIT)
    throw refused(
      'RequestLimitExceeded',
      `There are ${KEYS_LIMIT} access keys, which is the limit; delete one with: atoll keys delete ID`,
    )
  const key: AccessKey = { ...newKeySecret(random), account, user }
  const status = activeStatus({ rights })
  const more = { status, rights, createdAt, lastUsedAt: null }
  await tx.insertAccessKey({ ...(await keep(tx, key)), ...more })
  return { ...reportOf({ ...key, ...more }), secret: key.secret, warning: null }
}

async function carryOut(
  tx: Tx,
  options: KeyRouteOptions,
  id: string,
  order: string,
): Promise<KeyChangeReport> {
  const key = /^\w{1,128}$/.test(id) ? await tx.accessKey(id) : undefined
  if (key === undefined)
    throw refused('InvalidParameterValue', `There is no access key "${id}"; see: atoll keys list`)
  switch (order) {
    case 'enable':
      await tx.updateAccessKey(id, { status: activeStatus(key) })
      return told({ ...key, status: activeStatus(key) }, null)
    case 'disable':
      await tx.updateAccessKey(id, { status: 'disabled' })
      return told({ ...key, status: 'disabled' }, await lastOf(tx, key))
    case 'delete':
      await tx.deleteAccessKey(id)
      return told({ ...key, status: 'disabled' }, await lastOf(tx, key))
    case 'rotate': {
      const now = isoTime(options.clock.now())
      const fresh = await createKey(tx, { ...options, now }, key)
      await tx.updateAccessKey(id, { status: 'disabled' })
      const warning = `${id} is disabled; if something still needs it: atoll keys enable ${id}`
      return { ...fresh, warning }
    }
    default:
      throw refused(
        'InvalidParameterValue',
        'Unknown key command; use enable, disable, rotate or delete',
      )
  }
}

/** A warning when the account has no active key left. */
async function lastOf(tx: ReadTx, key: AccessKeyRecord): Promise<string | null> {
  const others = (await tx.accessKeys(key.account)).filter(
    ({ id, status }) => id !== key.id && status !== 'disabled',
  )
  return others.length > 0
    ? null
    : `account ${key.account} has no active key left, so nobody can call the API for it; make one with: atoll keys create admin`
}

async function allKeys(tx: ReadTx): Promise<readonly AccessKeyRecord[]> {
  const accounts = await tx.accounts()
  return (await Promise.all(accounts.map(({ id }) => tx.accessKeys(id)))).flat()
}

function told(key: AccessKeyRecord, warning: string | null): KeyChangeReport {
  return { ...reportOf(key), secret: null, warning }
}

function reportOf(key: AccessKeyRecord): KeyReport {
  const { id, account, user, createdAt, lastUsedAt } = key
  const status = key.status === 'disabled' ? 'disabled' : 'active'
  return { id, account, user, status, rights: key.rights ?? 'all', createdAt, lastUsedAt }
}
