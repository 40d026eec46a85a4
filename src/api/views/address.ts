/** Floating IPs and pools in the terms of the SDK, and the filters of DescribeAddresses. Pure. */
import type {
  Address as AddressOutput,
  InstanceNetworkInterfaceAssociation,
  PublicIpv4Pool,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import type { Ipv4 } from '../../model/addr.ts'
import { publicHostLabel } from '../../model/hostname.ts'
import { type Pool, poolSize, rangeContains, rangeSize } from '../../model/pools.ts'
import type { Address, Nic } from '../../model/records.ts'
import type { FilterTable } from '../filters.ts'
import { tagged } from './tags.ts'

/** What EC2 calls addresses for VPCs. */
export const ADDRESS_DOMAIN = 'vpc'
/** Who EC2 says owns an address that nobody has allocated. */
const OWNER_OF_AUTOMATIC = 'amazon'

/** One allocated address. */
export function addressView(
  { id, ip, pool, association }: Address,
  more: {
    readonly nic: Nic | undefined
    readonly tags: TagOutput[]
    readonly region: string
  },
): AddressOutput {
  const { nic, tags, region } = more
  return {
    PublicIp: ip,
    AllocationId: id,
    Domain: ADDRESS_DOMAIN,
    PublicIpv4Pool: pool,
    NetworkBorderGroup: region,
    ...(association === null || nic === undefined
      ? {}
      : {
          ...(nic.instance === null ? {} : { InstanceId: nic.instance }),
          AssociationId: association.id,
          NetworkInterfaceId: nic.id,
          NetworkInterfaceOwnerId: nic.account,
          PrivateIpAddress: association.privateIp,
        }),
    ...tagged(tags),
  }
}

/** The public name of an address. */
export function publicName(ip: Ipv4, dnsZone: string): string {
  return `${publicHostLabel(ip)}.${dnsZone}`
}

/** The address as a NIC shows it. */
export function associationView(
  { ip, account, isAutomatic }: Address,
  dnsZone: string,
): InstanceNetworkInterfaceAssociation {
  return {
    PublicIp: ip,
    PublicDnsName: publicName(ip, dnsZone),
    IpOwnerId: isAutomatic ? OWNER_OF_AUTOMATIC : account,
  }
}

/** What is not free. */
interface Taken {
  readonly taken: ReadonlySet<Ipv4>
  /** The pools of addresses that cannot be read. Each is counted in the first range with room. */
  readonly lostOf: readonly string[]
  readonly region: string
}

/** A pool, and how much of it is free. */
export function poolView(pool: Pool, { taken, lostOf, region }: Taken): PublicIpv4Pool {
  let lost = lostOf.filter((name) => name === pool.name).length
  const freeOf = (range: Pool['ranges'][number]) => {
    const unread = rangeSize(range) - [...taken].filter((ip) => rangeContains(range, ip)).length
    const free = Math.max(0, unread - lost)
    lost -= unread - free
    return free
  }
  const free = pool.ranges.map(freeOf)
  const zones = pool.zones === null ? 'all zones' : pool.zones.join(', ')
  return {
    PoolId: pool.name,
    Description: `For instances in ${zones}`,
    NetworkBorderGroup: region,
    PoolAddressRanges: pool.ranges.map((range, at) => ({
      FirstAddress: range.first,
      LastAddress: range.last,
      AddressCount: rangeSize(range),
      AvailableAddressCount: free[at] ?? 0,
    })),
    TotalAddressCount: poolSize(pool),
    TotalAvailableAddressCount: free.reduce((sum, one) => sum + one, 0),
    Tags: [],
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html, "Filter.N".
 */
export const ADDRESS_FILTERS: FilterTable<AddressOutput> = {
  'allocation-id': (address) => address.AllocationId,
  'association-id': (address) => address.AssociationId,
  domain: (address) => address.Domain,
  'instance-id': (address) => address.InstanceId,
  'network-border-group': (address) => address.NetworkBorderGroup,
  'network-interface-id': (address) => address.NetworkInterfaceId,
  'network-interface-owner-id': (address) => address.NetworkInterfaceOwnerId,
  'private-ip-address': (address) => address.PrivateIpAddress,
  'public-ip': (address) => address.PublicIp,
}
