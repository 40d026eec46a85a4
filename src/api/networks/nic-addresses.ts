/** The private addresses that a request asks for, for a new NIC or for one that there is. */
import { z } from 'zod'
import { cidrContains, type Ipv4, RESERVED_AT_START } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import { addressesOfNic, sortedAddresses } from '../../model/nics.ts'
import type { Nic, Subnet } from '../../model/records.ts'
import { isAssignable } from '../../plan/placement.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { FreeAddresses } from '../launch/free-addresses.ts'
import type { RandomIds } from '../launch/random-ids.ts'
import { ipv4Schema, notFound, onlySchema, withCode } from '../schemas.ts'
import { addressInUse } from './network-interfaces.ts'

/** Most addresses in one request; settings allow fewer. */
const ADDRESSES_MAX = 256

/** A list that must be empty. */
export function nothing(why: string) {
  return z
    .array(z.unknown())
    .refine((items) => items.length === 0, { error: why, ...withCode('UnsupportedOperation') })
    .optional()
    .meta({ only: 'an empty list' })
}

/** Members that name addresses of a new NIC. `at` begins their names in refusals. */
export function nicAddressShape(at = '') {
  return {
    PrivateIpAddress: ipv4Schema.optional(),
    PrivateIpAddresses: z
      .array(z.strictObject({ Primary: z.boolean().optional(), PrivateIpAddress: ipv4Schema }))
      .max(ADDRESSES_MAX)
      .default([]),
    SecondaryPrivateIpAddressCount: z.int().min(0).max(ADDRESSES_MAX).optional(),
    Ipv4PrefixCount: onlySchema(0, `${at}Ipv4PrefixCount: a NIC has addresses, no prefixes`),
    Ipv4Prefixes: nothing(`${at}Ipv4Prefixes: a NIC has addresses, no prefixes`),
    Ipv6AddressCount: onlySchema(0, `${at}Ipv6AddressCount: no IPv6`),
    Ipv6Addresses: nothing(`${at}Ipv6Addresses: no IPv6`),
    Ipv6PrefixCount: onlySchema(0, `${at}Ipv6PrefixCount: no IPv6`),
    Ipv6Prefixes: nothing(`${at}Ipv6Prefixes: no IPv6`),
  }
}

/** What is asked for. */
export interface AskedAddresses {
  /** The primary one; undefined: any. */
  readonly ip: Ipv4 | undefined
  readonly secondaryIps: readonly Ipv4[]
  /** How many further ones, whichever. */
  readonly secondaryCount: number
}

/** Any one address. */
export const ANY_ADDRESS: AskedAddresses = { ip: undefined, secondaryIps: [], secondaryCount: 0 }

type Given = z.output<z.ZodObject<ReturnType<typeof nicAddressShape>>>

/** The addresses in a request. Errors: `InvalidParameterCombination`, `InvalidParameterValue`. */
export function askedAddresses(
  given: Pick<Given, 'PrivateIpAddress' | 'PrivateIpAddresses' | 'SecondaryPrivateIpAddressCount'>,
): AskedAddresses {
  const { PrivateIpAddress: named, PrivateIpAddresses: listed } = given
  const { SecondaryPrivateIpAddressCount: secondaryCount = 0 } = given
  const primary = [
    ...(named === undefined ? [] : [named]),
    ...listed.flatMap((one) => (one.Primary === true ? one.PrivateIpAddress : [])),
  ]
  const secondaryIps = listed.flatMap((one) => (one.Primary === true ? [] : one.PrivateIpAddress))
  if (primary.length > 1)
    throw refused(
      'InvalidParameterCombination',
      'Only one primary private IP address can be specified: PrivateIpAddress, or one of PrivateIpAddresses with Primary',
    )
  if (secondaryIps.length > 0 && secondaryCount > 0)
    throw refused(
      'InvalidParameterCombination',
      'Secondary addresses of PrivateIpAddresses and SecondaryPrivateIpAddressCount may not be given together',
    )
  const all = [...primary, ...secondaryIps]
  if (new Set(all).size < all.length)
    throw refused('InvalidParameterValue', 'The same private address is named twice')
  return { ip: primary[0], secondaryIps, secondaryCount }
}

/** How many addresses the NIC gets. */
export function addressCount({ secondaryIps, secondaryCount }: AskedAddresses): number {
  return 1 + secondaryIps.length + secondaryCount
}

/** The addresses that the request names. */
export function namedAddresses({ ip, secondaryIps }: AskedAddresses): readonly Ipv4[] {
  return ip === undefined ? secondaryIps : [ip, ...secondaryIps]
}

/** Whether the request names an address. */
export function namesAddress(asked: AskedAddresses): boolean {
  return namedAddresses(asked).length > 0
}

/**
 * Refuses addresses that a NIC in the subnet cannot have (`InvalidParameterValue`), and those that
 * one has (`InvalidIPAddress.InUse`).
 */
export async function requireAddresses(
  tx: ReadTx,
  subnet: Subnet,
  ips: readonly Ipv4[],
): Promise<void> {
  if (ips.length === 0) return
  for (const ip of ips) {
    const refuse = (why: string) => refused('InvalidParameterValue', `Address ${ip} ${why}`)
    if (!cidrContains(subnet.cidr, ip))
      throw refuse("does not fall within the subnet's address range")
    if (!isAssignable(subnet.cidr, ip))
      throw refuse(
        `is in subnet's reserved address range: its first ${RESERVED_AT_START} addresses and the last one`,
      )
  }
  const [taken] = await tx.takenAddresses(subnet.id, ips)
  if (taken !== undefined) throw addressInUse(taken)
}

/** A NIC without what is chosen when it is inserted. */
export type NicDraft = Omit<Nic, 'id' | 'mac' | 'ip' | 'secondaryIps'>

/**
 * Inserts a NIC with the addresses that are asked for, and others that are free. Undefined when
 * there are too few. Errors: `InvalidIPAddress.InUse`; `InvalidSubnetID.NotFound` when the subnet
 * has just been deleted.
 */
export async function insertNewNic(
  tx: Tx,
  draft: NicDraft,
  asked: AskedAddresses,
  free: FreeAddresses,
  draw: RandomIds,
): Promise<Nic | undefined> {
  for (;;) {
    const ip = asked.ip ?? (await free.next())
    const further: Ipv4[] = [...asked.secondaryIps]
    for (let more = asked.secondaryCount; more > 0; more -= 1) {
      const next = await free.next()
      if (next === undefined) return undefined
      further.push(next)
    }
    if (ip === undefined) return undefined
    const nic: Nic = {
      ...draft,
      id: draw.id('eni'),
      mac: draw.mac(),
      ip,
      ...(further.length === 0 ? {} : { secondaryIps: sortedAddresses(further) }),
    }
    const result = await tx.insertNic(nic)
    if (result === 'done') return nic
    if (result === 'no-subnet')
      throw notFound('InvalidSubnetID.NotFound', 'subnet ID', [draft.subnet])
    // Others may be free, but those that are named are not.
    if (namesAddress(asked)) throw addressInUse(addressesOfNic(nic)[0] ?? ip)
  }
}
