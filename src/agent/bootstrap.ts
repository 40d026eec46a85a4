/**
 * Creates the records that a new cloud needs before its first request: an account with an access
 * key, and a default VPC with its default group and a subnet in each zone. Safe to repeat, and safe
 * when several hosts do it at once.
 */

import type { SecretCipher } from '../lib/secret-cipher.ts'
import type { AccessKey } from '../model/account-records.ts'
import type { Cidr } from '../model/addr.ts'
import { type AccountId, FIRST_ACCOUNT, type HostName, type NewId, newIds } from '../model/ids.ts'
import {
  canAllOpen,
  isSealedKey,
  newKeySecret,
  openedKey,
  placeOfKey,
} from '../model/key-secret.ts'
import { NO_PREFERENCE } from '../model/metadata-options.ts'
import { freeNetwork } from '../plan/free-network.ts'
import { completeOlderVpcs, insertWholeVpc } from '../store/new-vpc.ts'
import type { ReadTx, Store, Tx } from '../store/store.ts'

const ADMIN = 'admin'

export interface BootstrapSettings {
  readonly vpc: Cidr
  readonly subnet: Cidr
  readonly zone: string
}

/**
 * How secrets of access keys are stored: sealed if there is a `sealer` and all hosts can open them.
 */
export interface KeyProtection {
  readonly sealer: SecretCipher | null
  readonly self: HostName
}

/**
 * Creates what is missing. Returns an active key of the first account's administrator whose secret
 * can be opened: `preferred` if that is one, null if there is none.
 */
export async function bootstrap(
  store: Store,
  settings: BootstrapSettings,
  random: (bytes: number) => Uint8Array,
  protection: KeyProtection | null = null,
  preferred: string | null = null,
): Promise<AccessKey | null> {
  for (;;) {
    const key = await store.change(async (tx) => {
      const account = FIRST_ACCOUNT
      const accounts = await tx.accounts()
      const isNew = tx.unreadable().length === 0 && !accounts.some(({ id }) => id === account)
      const first = { id: account, name: 'default', metadata: NO_PREFERENCE }
      if (isNew && (await tx.insertAccount(first)) === 'exists') return undefined
      const made = await makeNetwork(tx, account, settings, newIds(random), isNew)
      if (made === 'exists') return undefined
      await completeOlderVpcs(tx)
      return await adminKey(tx, account, random, protection, preferred)
    })
    // Another host has just created the same; the next transaction sees it.
    if (key !== undefined) return key
  }
}

/**
 * Creates the default VPC of a new account, and its default subnet in a zone that is new to the
 * cloud: what is missing later was deleted by its owner (CreateDefaultVpc and CreateDefaultSubnet
 * make it again). The first zone gets the network of the settings, every other one the next free
 * network of that size, if any. Returns `exists` when another host was faster: repeat in a new
 * transaction.
 */
async function makeNetwork(
  tx: Tx,
  account: AccountId,
  settings: BootstrapSettings,
  newId: NewId,
  isNew: boolean,
): Promise<'done' | 'exists'> {
  const known = (await tx.vpcs({ account })).find(({ isDefault }) => isDefault)
  const subnets = await tx.subnets({ account })
  // An unreadable row may be the one that seems to be missing. Create nothing then.
  if (tx.unreadable().some(({ table }) => table === 'vpcs' || table === 'subnets')) return 'done'
  if (known === undefined && !isNew) return 'done'
  const vpc = known ?? {
    id: newId('vpc'),
    account,
    cidr: settings.vpc,
    isDefault: true,
    network: null,
    dnsSupport: true,
    dnsHostnames: true,
  }
  if (known === undefined) {
    if ((await insertWholeVpc(tx, vpc, newId)) === 'exists') return 'exists'
  }
  const inside = subnets.filter((subnet) => subnet.vpc === vpc.id)
  const hosts = await tx.hosts()
  const isThere =
    inside.some(({ zone, isDefault }) => isDefault && zone === settings.zone) ||
    hosts.some(({ zone }) => zone === settings.zone)
  const cidr = isThere ? undefined : freeNetwork(vpc.cidr, settings.subnet, inside)
  if (cidr !== undefined) {
    const { zone } = settings
    const made = { id: newId('subnet'), isDefault: true, mapPublicIp: false }
    const subnet = { ...made, vpc: vpc.id, account, cidr, zone }
    if ((await tx.insertSubnet(subnet)) === 'exists') return 'exists'
  }
  return 'done'
}

async function adminKey(
  tx: Tx,
  account: AccountId,
  random: (bytes: number) => Uint8Array,
  protection: KeyProtection | null,
  preferred: string | null,
): Promise<AccessKey | null> {
  const existing = await tx.accessKeys(account)
  if (existing.length === 0 && tx.unreadable().length === 0) {
    const key: AccessKey = { ...newKeySecret(random), account, user: ADMIN }
    await tx.insertAccessKey(await protectedKey(tx, key, protection))
    return key
  }
  const good = existing.flatMap((key) => {
    if (key.user !== ADMIN || key.status === 'disabled' || key.rights === 'policies') return []
    return openedKey(key, protection?.sealer ?? null) ?? []
  })
  return good.find(({ id }) => id === preferred) ?? good[0] ?? null
}

/** A key as it is stored: sealed if it can be. */
export async function protectedKey(
  tx: ReadTx,
  key: AccessKey,
  protection: KeyProtection | null,
): Promise<AccessKey> {
  if (protection === null || protection.sealer === null) return key
  if (!canAllOpen(await tx.hosts(), protection.self)) return key
  return { ...key, secret: protection.sealer.seal(key.secret, placeOfKey(key.id)) }
}

/**
 * Seals the secrets that are in clear, once all hosts can open them. Returns how many remain in
 * clear. Safe to repeat, and safe on several hosts at once.
 */
export async function sealKeys(store: Store, { sealer, self }: KeyProtection): Promise<number> {
  return await store.change(async (tx) => {
    const accounts = await tx.accounts()
    const keys = await Promise.all(accounts.map(({ id }) => tx.accessKeys(id)))
    const inClear = keys.flat().filter((key) => !isSealedKey(key))
    if (inClear.length === 0) return 0
    if (sealer === null || !canAllOpen(await tx.hosts(), self)) return inClear.length
    for (const { id, secret } of inClear)
      await tx.updateAccessKey(id, { secret: sealer.seal(secret, placeOfKey(id)) })
    return 0
  })
}
