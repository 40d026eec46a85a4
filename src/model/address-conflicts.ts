/** Finds which of our addresses another machine on the host's network may have. Pure. */
import { cidrContains, type Ipv4 } from './addr.ts'
import { networkOf, type OwnNetwork } from './collisions.ts'

/** One of our addresses, and the link where another machine may have it. */
export interface ProbedAddress {
  readonly link: string
  readonly ip: Ipv4
  /** What we use it for. */
  readonly role: string
}

/** What the cloud answers for on a host's network. */
export interface ClaimedAddresses {
  readonly fabric: Ipv4 | null
  readonly services: readonly Ipv4[]
  /** Floating IPs of this host's instances. */
  readonly floatingIps: readonly Ipv4[]
}

/**
 * The fabric address of this host, and service addresses and floating IPs inside one of the host's
 * networks.
 */
export function addressesToProbe(
  own: Pick<OwnNetwork, 'addresses'>,
  cloud: ClaimedAddresses,
): readonly ProbedAddress[] {
  return own.addresses.flatMap(({ link, ip, prefix }) => [
    ...(ip === cloud.fabric ? [{ link, ip, role: 'the fabric address of this host' }] : []),
    ...cloud.services
      .filter((service) => service !== ip && cidrContains(networkOf(ip, prefix), service))
      .map((service) => ({ link, ip: service, role: 'the address of a service of Atoll' })),
    ...cloud.floatingIps
      .filter((address) => address !== ip && cidrContains(networkOf(ip, prefix), address))
      .map((address) => ({ link, ip: address, role: 'a floating IP of an instance here' })),
  ])
}

/** The problem and its fix, if the machine with this Ethernet address has our address. */
export function explainAddressConflict({ link, ip, role }: ProbedAddress, mac: string) {
  return {
    what: `another machine (${mac} on ${link}) answers for ${ip}, ${role}`,
    fix: `give one of the two another address: ip neigh show ${ip} on a neighbour tells which is reached`,
  }
}
