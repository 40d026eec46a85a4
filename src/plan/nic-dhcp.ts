/**
 * What an instance is told of names and time, by DHCP or when its container is made. Pure.
 */
import { type Ipv4, RESOLVER_ADDRESS } from '../model/addr.ts'
import { type DhcpConfiguration, OWN_RESOLVER } from '../model/dhcp-options.ts'
import type { NicWant } from '../model/want.ts'

/** An empty list tells nothing. */
interface Told {
  /** All are searched. The first is the domain of the instance. */
  readonly domainNames: readonly string[]
  readonly nameServers: readonly Ipv4[]
  /** NTP servers. */
  readonly timeServers: readonly Ipv4[]
  readonly netbiosServers: readonly Ipv4[]
  readonly netbiosNodeType: DhcpConfiguration['netbiosNodeType']
}

/**
 * What the VPC's set of DHCP options says. Without a set: `zone` and the host's resolver. When a
 * set has other domains and that resolver, `zone` is searched as well, so that short names of
 * instances resolve.
 */
export function toldTo(
  { dhcp, resolver, gateway }: Pick<NicWant, 'dhcp' | 'resolver' | 'gateway'>,
  zone: string,
): Told {
  const own = resolver === false ? [] : [gateway, RESOLVER_ADDRESS]
  const none = { timeServers: [], netbiosServers: [], netbiosNodeType: undefined }
  if (dhcp === undefined) return { domainNames: [zone], nameServers: own, ...none }
  const { domainNames, timeServers, netbiosServers = [], netbiosNodeType } = dhcp
  const nameServers = dhcp.nameServers.flatMap((one) => (one === OWN_RESOLVER ? own : one))
  const addsZone =
    domainNames.length > 0 && !domainNames.includes(zone) && nameServers.includes(RESOLVER_ADDRESS)
  return {
    domainNames: addsZone ? [...domainNames, zone] : domainNames,
    ...{ nameServers, timeServers, netbiosServers, netbiosNodeType },
  }
}
