/**
 * Parameters of RunInstances with a single accepted value, the one that describes every instance of
 * Atoll. Any other value is refused by name. Launchers send these parameters because of their own
 * defaults. Pure.
 */
import { z } from 'zod'
import { type Ipv4, parseIpv4 } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import { onlySchema, withCode, withoutEffect } from '../schemas.ts'

/** A list that must be empty. */
function nothing(why: string) {
  return z
    .array(z.unknown())
    .refine((items) => items.length === 0, { error: why, ...withCode('UnsupportedOperation') })
    .optional()
    .meta({ only: 'an empty list' })
}

/** Members of the request. */
export const fixedShape = {
  Ipv6AddressCount: onlySchema(0, 'Ipv6AddressCount: no IPv6'),
  Ipv6Addresses: nothing('Ipv6Addresses: no IPv6'),
  EnablePrimaryIpv6: onlySchema(false, 'EnablePrimaryIpv6: no IPv6'),
  // There are no CPU credits, so both values mean the same.
  CreditSpecification: withoutEffect(
    z.strictObject({ CpuCredits: z.enum(['standard', 'unlimited']) }).optional(),
  ),
  CpuOptions: z
    .strictObject({
      CoreCount: z.int().min(1).optional(),
      ThreadsPerCore: onlySchema(
        1,
        'CpuOptions.ThreadsPerCore: each vCPU is a core of one thread; use 1',
      ),
      AmdSevSnp: onlySchema('disabled', 'CpuOptions.AmdSevSnp: memory is not encrypted'),
      NestedVirtualization: onlySchema(
        'disabled',
        'CpuOptions.NestedVirtualization: only disabled',
      ),
    })
    .optional(),
}

/** Members of `Placement`. */
export const fixedPlacement = {
  Tenancy: onlySchema('default', 'Placement.Tenancy: only default is supported'),
  Affinity: onlySchema('default', 'Placement.Affinity: only default; no host is dedicated'),
  GroupName: onlySchema('', 'Placement.GroupName: there are no placement groups'),
}

const NIC = 'NetworkInterfaces.1'
const privateAddress = z.strictObject({
  Primary: z.boolean().optional(),
  PrivateIpAddress: z.string(),
})

/** Members of the one NIC. */
export const fixedNic = {
  PrivateIpAddresses: z
    .array(privateAddress)
    .refine((list) => list.length <= 1 && list.every(({ Primary }) => Primary === true), {
      error: `${NIC}.PrivateIpAddresses: a NIC has one address, which is the primary one`,
      ...withCode('UnsupportedOperation'),
    })
    .optional(),
  SecondaryPrivateIpAddressCount: onlySchema(
    0,
    `${NIC}.SecondaryPrivateIpAddressCount: a NIC has one address`,
  ),
  Ipv4PrefixCount: onlySchema(0, `${NIC}.Ipv4PrefixCount: a NIC has one address`),
  Ipv4Prefixes: nothing(`${NIC}.Ipv4Prefixes: a NIC has one address`),
  Ipv6AddressCount: onlySchema(0, `${NIC}.Ipv6AddressCount: no IPv6`),
  Ipv6Addresses: nothing(`${NIC}.Ipv6Addresses: no IPv6`),
  Ipv6PrefixCount: onlySchema(0, `${NIC}.Ipv6PrefixCount: no IPv6`),
  Ipv6Prefixes: nothing(`${NIC}.Ipv6Prefixes: no IPv6`),
  PrimaryIpv6: onlySchema(false, `${NIC}.PrimaryIpv6: no IPv6`),
  AssociateCarrierIpAddress: onlySchema(
    false,
    `${NIC}.AssociateCarrierIpAddress: there is no carrier`,
  ),
  EnaSrdSpecification: z
    .strictObject({ EnaSrdEnabled: onlySchema(false, `${NIC}.EnaSrdSpecification: no ENA`) })
    .optional(),
}

/** The address of a NIC, in either of the two forms. */
export function namedAddress(nic: {
  readonly PrivateIpAddress?: Ipv4 | undefined
  readonly PrivateIpAddresses?: readonly z.output<typeof privateAddress>[] | undefined
}): Ipv4 | undefined {
  const [listed] = nic.PrivateIpAddresses ?? []
  if (listed === undefined) return nic.PrivateIpAddress
  if (nic.PrivateIpAddress !== undefined)
    throw refused(
      'InvalidParameterCombination',
      `${NIC}.PrivateIpAddress and ${NIC}.PrivateIpAddresses may not be given together`,
    )
  const ip = parseIpv4(listed.PrivateIpAddress)
  if (ip !== undefined) return ip
  throw refused('InvalidParameterValue', `Invalid IPv4 address: ${listed.PrivateIpAddress}`)
}
