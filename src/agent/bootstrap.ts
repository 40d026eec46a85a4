/**
 * The records that a new cloud needs before anybody can ask for anything: one account with a key,
 * one default VPC with a subnet in each zone and its default group. Safe to repeat and to race:
 * whoever comes second finds the records there.
 */

import type { SecretCipher } from '../lib/secret-cipher.ts'
import { type Cidr, cidrAddress, cidrContains, cidrOverlaps, cidrSize } from '../model/addr.ts'
import { bug } from '../model/errors.ts'
import { type AccountId, formatId, type HostName, ID_BYTES, parseAccountId } from '../model/ids.ts'
import {
  canAllOpen,
  isSealedKey,
  newKeySecret,
  openedKey,
  placeOfKey,
} from '../model/key-secret.ts'
import { NO_PREFERENCE } from '../model/metadata-options.ts'
import type { AccessKey, Subnet } from '../model/records.ts'
import type { ReadTx, Store, Tx } from '../store/store.ts'

const ADMIN = 'admin'
const FIRST_ACCOUNT = parseAccountId('000000000001')

export interface BootstrapSettings {
  readonly vpc: Cidr
  readonly subnet: Cidr
  readonly zone: string
}

/**
 * How keys are kept: sealed where `sealer` is there and `self` finds that all hosts can open them.
 */
export interface KeyCustody {
  readonly sealer: SecretCipher | null
  readonly self: HostName
}

/**
 * Makes what is missing and returns a key of the first account's administrator: `preferred`, if
 * that is a good one; null when there are keys, but none of the administrator's that is active and
 * can be opened.
 */
export async function bootstrap(
  store: Store,
  settings: BootstrapSettings,
  random: (bytes: number) => Uint8Array,
  custody: KeyCustody | null = null,
  preferred: string | null = null,
): Promise<AccessKey | null> {
  for (;;) {
    const key = await store.transaction(async (tx) => {
      const account = FIRST_ACCOUNT
      if (account === undefined) throw bug('the first account id is malformed')
      await tx.insertAccount({ id: account, name: 'default', metadata: NO_PREFERENCE })
      const made = await makeNetwork(tx, account, settings, random)
      if (made === 'exists') return undefined
      return await adminKey(tx, account, random, custody, preferred)
    })
    // Another host was making the same network, which the next transaction sees.
    if (key !== undefined) return key
  }
}

/**
 * Sees to a default VPC, and in it a default subnet in this zone: of the first zone as the settings
 * say, of another one the next free network of the same size, if there is any. `exists` when
 * another host was faster: look again in another transaction.
 */
async function makeNetwork(
  tx: Tx,
  account: AccountId,
  settings: BootstrapSettings,
  random: (bytes: number) => Uint8Array,
): Promise<'done' | 'exists'> {
  const known = (await tx.vpcs({ account })).find(({ isDefault }) => isDefault)
  const subnets = await tx.subnets({ account })
  // What cannot be read may be what is missed here; a second one would be refused for its network,
  // or be one too many.
  if (tx.unreadable().some(({ table }) => table === 'vpcs' || table === 'subnets')) return 'done'
  const vpc = known ?? {
    id: formatId('vpc', random(ID_BYTES)),
    account,
    cidr: settings.vpc,
    isDefault: true,
  }
  if (known === undefined) {
    if ((await tx.insertVpc(vpc)) === 'exists') return 'exists'
    await tx.insertGroup({
      id: formatId('sg', random(ID_BYTES)),
      vpc: vpc.id,
      account,
      name: 'default',
      description: 'default VPC security group',
    })
  }
  const inside = subnets.filter((subnet) => subnet.vpc === vpc.id)
  const isThere = inside.some(({ zone, isDefault }) => isDefault && zone === settings.zone)
  const cidr = isThere ? undefined : freeNetwork(vpc.cidr, settings.subnet, inside)
  if (cidr !== undefined) {
    const id = formatId('subnet', random(ID_BYTES))
    const { zone } = settings
    const subnet = { id, vpc: vpc.id, account, cidr, zone, isDefault: true }
    if ((await tx.insertSubnet(subnet)) === 'exists') return 'exists'
  }
  return 'done'
}

/**
 * `first`, or else the first network of its size in the VPC that overlaps with none of the subnets.
 */
function freeNetwork(vpc: Cidr, first: Cidr, subnets: readonly Subnet[]): Cidr | undefined {
  const size = cidrSize(first)
  const isFree = (one: Cidr) =>
    cidrContains(vpc, one.network) &&
    one.prefix >= vpc.prefix &&
    !subnets.some((subnet) => cidrOverlaps(subnet.cidr, one))
  if (isFree(first)) return first
  for (let start = 0; start + size <= cidrSize(vpc); start += size) {
    const one = { network: cidrAddress(vpc, start), prefix: first.prefix }
    if (isFree(one)) return one
  }
  return undefined
}

async function adminKey(
  tx: Tx,
  account: AccountId,
  random: (bytes: number) => Uint8Array,
  custody: KeyCustody | null,
  preferred: string | null,
): Promise<AccessKey | null> {
  const existing = await tx.accessKeys(account)
  if (existing.length === 0 && tx.unreadable().length === 0) {
    const key: AccessKey = { ...newKeySecret(random), account, user: ADMIN }
    await tx.insertAccessKey(await keptKey(tx, key, custody))
    return key
  }
  const good = existing.flatMap((key) => {
    if (key.user !== ADMIN || key.status === 'disabled') return []
    return openedKey(key, custody?.sealer ?? null) ?? []
  })
  return good.find(({ id }) => id === preferred) ?? good[0] ?? null
}

/** A key as it is to stand in the records. */
export async function keptKey(
  tx: ReadTx,
  key: AccessKey,
  custody: KeyCustody | null,
): Promise<AccessKey> {
  if (custody === null || custody.sealer === null) return key
  if (!canAllOpen(await tx.hosts(), custody.self)) return key
  return { ...key, secret: custody.sealer.seal(key.secret, placeOfKey(key.id)) }
}

/**
 * Seals the secrets that are in clear, when all hosts can open them. Gives how many still are in
 * clear. Safe to repeat and to race: whoever comes second seals the same secret again.
 */
export async function sealKeys(store: Store, { sealer, self }: KeyCustody): Promise<number> {
  return await store.transaction(async (tx) => {
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
