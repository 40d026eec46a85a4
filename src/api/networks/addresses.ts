/** What actions on floating IPs have in common. */
import { type Cidr, cidrContains, type Ipv4 } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId, NewId, NicId } from '../../model/ids.ts'
import { freeOfPool, type Pool, poolWith } from '../../model/pools.ts'
import type { Address } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { idSchema, ipv4Schema, notFound } from '../schemas.ts'
import { refuseUnread } from './vpcs.ts'

/** A floating IP by its allocation or by itself. EC2 has no code of its own for a malformed id. */
export const addressShape = {
  AllocationId: idSchema('eipalloc', 'InvalidAllocationID.NotFound').optional(),
  PublicIp: ipv4Schema.optional(),
}

/** What EC2 calls the pool that is meant when none is named. */
export const ANY_POOL = 'amazon'

/** The addresses that the account has allocated, by id in ascending order. */
export async function allocated(tx: ReadTx, account: AccountId): Promise<readonly Address[]> {
  return (await tx.addresses({ account })).filter(({ isAutomatic }) => !isAutomatic)
}

/** `InvalidAllocationID.NotFound`. */
export function missingAllocations(ids: readonly string[]): Error {
  return notFound('InvalidAllocationID.NotFound', 'allocation ID', ids)
}

/** `InvalidAddress.NotFound`. */
export function missingAddresses(ips: readonly string[]): Error {
  return ips.length === 1
    ? refused('InvalidAddress.NotFound', `Address '${ips.join()}' not found.`)
    : refused('InvalidAddress.NotFound', `Addresses '${ips.join(', ')}' not found.`)
}

/**
 * The allocated address that a request names. Errors: `MissingParameter` and
 * `InvalidParameterCombination` when it names none or both ways; `InvalidAllocationID.NotFound` and
 * `InvalidAddress.NotFound`, also for another account's.
 */
export async function requireAllocated(
  tx: ReadTx,
  account: AccountId,
  {
    AllocationId: id,
    PublicIp: ip,
  }: {
    readonly AllocationId?: Address['id'] | undefined
    readonly PublicIp?: Ipv4 | undefined
  },
): Promise<Address> {
  if (id !== undefined && ip !== undefined)
    throw refused(
      'InvalidParameterCombination',
      'You may specify public IP or allocation id, but not both in the same call',
    )
  if (id === undefined && ip === undefined)
    throw refused('MissingParameter', 'Either public IP or allocation id must be specified')
  const query = id === undefined ? { ips: ip === undefined ? [] : [ip] } : { ids: [id] }
  const [found] = await tx.addresses({ account, ...query })
  if (found !== undefined && !found.isAutomatic) return found
  throw id === undefined ? missingAddresses([ip ?? '']) : missingAllocations([id])
}

/** Which pools an address may come from, and which address. */
interface AddressOrder {
  /** By name; undefined: any. */
  readonly pool?: string | undefined
  readonly ip?: Ipv4 | undefined
  /** Zone of the instance that it is for; undefined: not known yet. */
  readonly zone?: string | undefined
}

/** Whose an address is to be, and with which NIC it goes. */
interface NewAddress {
  readonly account: AccountId
  readonly now: string
  readonly association: Address['association']
  readonly isAutomatic: boolean
}

/** What a new address is chosen and named by. */
interface AddressDraw {
  readonly id: NewId
  /** A non-negative integer to choose by. */
  number(): number
}

/** Where new addresses of one order come from, during one transaction. */
export interface AddressSource {
  /**
   * Takes a free address; undefined when there is none. A random one, so that requests at the same
   * time seldom meet, and an address that was just given back is seldom the next.
   */
  take(tx: Tx, wanted: NewAddress): Promise<Address | undefined>
  /** What to refuse with when there is none. */
  shortage(): Error
}

/**
 * The free addresses that an order may get. Errors: `UnsupportedOperation` without pools,
 * `InvalidPoolID.NotFound`, `InvalidAddress.NotFound`.
 */
export function addressSource(
  { pools }: Pick<ApiSettings, 'pools'>,
  order: AddressOrder,
  draw: AddressDraw,
): AddressSource {
  const eligible = eligiblePools(pools, order)
  let free: Generator<{ readonly pool: string; readonly ip: Ipv4 }> | undefined
  return {
    async take(tx, { account, now, association, isAutomatic }) {
      if (free === undefined) {
        const { lostOf, ...other } = await unusable(tx)
        free = candidates(wholePools(eligible, lostOf, pools), order, other, draw.number())
      }
      for (let next = free.next(); next.done !== true; next = free.next()) {
        const address: Address = {
          id: draw.id('eipalloc'),
          account,
          ...next.value,
          isAutomatic,
          association,
          createdAt: now,
        }
        if ((await tx.insertAddress(address)) === 'done') return address
      }
      return undefined
    },
    shortage: () => shortage(order),
  }
}

/** What accounts and hosts have, and networks in which an address would lead to nobody. */
interface Unusable {
  readonly taken: ReadonlySet<Ipv4>
  /** Of the VPCs that are in the hosts' own network, as floating IPs are. */
  readonly networks: readonly Cidr[]
  /** The pools of addresses that cannot be read. */
  readonly lostOf: readonly string[]
}

async function unusable(tx: ReadTx): Promise<Unusable> {
  const hosts = (await tx.hosts()).flatMap(({ fabricAddress }) => fabricAddress ?? [])
  const vpcs = await tx.vpcs({})
  const { ips, lostOf } = await tx.allocatedAddresses()
  return {
    taken: new Set([...hosts, ...ips]),
    networks: vpcs.flatMap(({ network, cidr }) => (network === null ? cidr : [])),
    lostOf,
  }
}

/**
 * Those of the pools of which all taken addresses are known. One that cannot be read may still be
 * used by its host, so it must not be given to another. Errors: `unavailable` when none is left.
 */
function wholePools(
  eligible: readonly Pool[],
  lostOf: readonly string[],
  all: readonly Pool[],
): readonly Pool[] {
  const names = new Set(all.map(({ name }) => name))
  if (lostOf.some((name) => !names.has(name))) refuseUnread('addresses')
  const whole = eligible.filter(({ name }) => !lostOf.includes(name))
  if (whole.length === 0 && eligible.length > 0) refuseUnread('addresses')
  return whole
}

function* candidates(
  pools: readonly Pool[],
  { ip: only }: AddressOrder,
  { taken, networks }: Omit<Unusable, 'lostOf'>,
  from: number,
): Generator<{ readonly pool: string; readonly ip: Ipv4 }> {
  const isUsable = (ip: Ipv4) => !networks.some((net) => cidrContains(net, ip))
  for (const pool of pools)
    if (only === undefined) {
      for (const ip of freeOfPool(pool, taken, from))
        if (isUsable(ip)) yield { pool: pool.name, ip }
    } else if (!taken.has(only) && isUsable(only)) yield { pool: pool.name, ip: only }
}

/** There are no public addresses in this cloud. */
export function noPools(): Error {
  return refused(
    'UnsupportedOperation',
    'This cloud has no public addresses to give: the setting network.pools names no pool',
  )
}

/** The pools that the order may be served from. */
function eligiblePools(
  pools: readonly Pool[],
  { pool: name, ip, zone }: AddressOrder,
): readonly Pool[] {
  if (pools.length === 0) throw noPools()
  const named = pools.filter((one) => name === undefined || one.name === name)
  if (named.length === 0 && name !== undefined)
    throw notFound('InvalidPoolID.NotFound', 'pool ID', [name])
  const having = ip === undefined ? named : [poolWith(named, ip)].flatMap((one) => one ?? [])
  if (having.length === 0 && ip !== undefined) throw missingAddresses([ip])
  return having.filter(({ zones }) => zone === undefined || serves({ zones }, zone))
}

/** Whether instances in the zone may have addresses of the pool. */
export function serves({ zones }: Pick<Pool, 'zones'>, zone: string): boolean {
  return zones === null || zones.includes(zone)
}

function shortage({ pool, ip, zone }: AddressOrder): Error {
  // Whether another account has it is not told.
  if (ip !== undefined) return missingAddresses([ip])
  const which = pool === undefined ? 'Every pool' : `The pool '${pool}'`
  const where = zone === undefined ? '' : ` of the zone '${zone}'`
  return refused(
    'InsufficientAddressCapacity',
    `${which} of public addresses${where} is used up. Release addresses, or give network.pools more ranges`,
  )
}

/**
 * Takes from the NIC's private address whatever floating IP leads there. What came with the NIC is
 * given back, what was allocated stays so.
 */
export async function clearAddresses(
  tx: Tx,
  { nic, privateIp }: { readonly nic: NicId; readonly privateIp: Ipv4 },
): Promise<void> {
  for (const address of await tx.addresses({ nics: [nic] })) {
    if (address.association?.privateIp !== privateIp) continue
    await tx.associateAddress(address.id, null)
    if (address.isAutomatic) await tx.deleteAddress(address.id)
  }
}
