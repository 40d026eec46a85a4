/**
 * Finds addresses that both the host's own network and the cloud use, with a fix for each. Pure.
 */
import {
  type Cidr,
  cidrContains,
  cidrOverlaps,
  formatCidr,
  type Ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
} from './addr.ts'

/** The host's own network, without anything of ours. */
export interface OwnNetwork {
  readonly addresses: readonly {
    readonly link: string
    readonly ip: Ipv4
    readonly prefix: number
  }[]
  /** All routes except default ones. `link` is null when its name is unknown. */
  readonly routes: readonly {
    readonly network: Cidr
    readonly gateway: Ipv4 | null
    readonly link: string | null
  }[]
  /** Next hops of default routes. */
  readonly routers: readonly Ipv4[]
  /** Resolvers of the host. */
  readonly resolvers: readonly Ipv4[]
}

/** The addresses that the cloud uses. */
export interface CloudNetwork {
  readonly vpcs: readonly Cidr[]
  /** Link-local addresses of services, the same on all hosts. */
  readonly services: readonly Ipv4[]
  /** Addresses of databases, brokers and other hosts, with the setting that names them. */
  readonly needed: readonly { readonly setting: string; readonly ip: Ipv4 }[]
}

/** One collision. */
export interface Collision {
  readonly what: string
  readonly fix: string
  /**
   * Whether it would cut off the host or a service that it needs. Then the daemon does not start.
   */
  readonly harmsHost: boolean
}

/** All collisions, the worst first. */
export function findCollisions(own: OwnNetwork, cloud: CloudNetwork): readonly Collision[] {
  const found = [
    ...cloud.vpcs.flatMap((vpc) => collisionsOf(vpc, own, cloud)),
    ...cloud.services.flatMap((ip) => serviceCollisions(ip, own)),
  ]
  return found.toSorted((a, b) => Number(b.harmsHost) - Number(a.harmsHost))
}

function collisionsOf(vpc: Cidr, own: OwnNetwork, cloud: CloudNetwork): readonly Collision[] {
  const name = formatCidr(vpc)
  const other = `set network.vpc and network.subnet to a network that nothing else here uses before the first start; of a cloud that has instances, change the host's network instead`
  const inside = (ip: Ipv4) => cidrContains(vpc, ip)
  const harm = (what: string, fix = other): Collision => ({ what, fix, harmsHost: true })
  const routers = own.routers.filter(inside)
  const addresses = own.addresses.filter(
    ({ ip, prefix }) => inside(ip) || cidrOverlaps(vpc, networkOf(ip, prefix)),
  )
  const known = new Set(addresses.map(({ link }) => link))
  return [
    ...routers.map((ip) =>
      harm(
        `the router of this host, ${ip}, is inside the VPC ${name}: instances' gateway would take its place`,
      ),
    ),
    ...addresses.map(({ link, ip, prefix }) =>
      harm(
        `${link} has ${ip}/${prefix}, which overlaps the VPC ${name}`,
        /^(?:docker0|br-|docker_gwbridge)/.test(link)
          ? `give Docker's network another range (docker network rm, or default-address-pools in /etc/docker/daemon.json); or ${other}`
          : other,
      ),
    ),
    ...own.resolvers
      .filter(inside)
      .map((ip) => harm(`the resolver ${ip} in /etc/resolv.conf is inside the VPC ${name}`)),
    ...cloud.needed
      .filter(({ ip }) => inside(ip))
      .map(({ setting, ip }) => harm(`${ip} of ${setting} is inside the VPC ${name}`)),
    ...own.routes
      .filter(({ network, link }) => cidrOverlaps(vpc, network) && !known.has(link ?? ''))
      .map(({ network, gateway, link }) => ({
        what: `the route to ${formatCidr(network)}${gateway === null ? '' : ` by ${gateway}`} on ${link ?? 'a link'} overlaps the VPC ${name}: what is there is not reached from here`,
        fix: `remove the route (a VPN can be configured not to add it); or ${other}`,
        harmsHost: false,
      })),
  ]
}

function serviceCollisions(service: Ipv4, own: OwnNetwork): readonly Collision[] {
  const holders = own.addresses.filter(({ ip }) => ip === service)
  const routes = own.routes.filter(
    ({ network }) => network.prefix === 32 && network.network === service,
  )
  return [
    ...holders.map(({ link }) => ({
      what: `${link} has ${service}, which instances know as a service of Atoll`,
      fix: `remove the address from ${link}`,
      harmsHost: true,
    })),
    ...(own.resolvers.includes(service)
      ? [
          {
            what: `this host resolves names at ${service}, which Atoll uses for its instances: the host could resolve no names`,
            fix: 'give the host another resolver in /etc/resolv.conf',
            harmsHost: true,
          },
        ]
      : []),
    ...routes.map(({ link }) => ({
      what: `the host has a route to ${service} on ${link ?? 'a link'}, as cloud providers give it: its own agents would ask Atoll instead`,
      fix: `remove the route if nothing on this host needs it: ip route del ${service}`,
      harmsHost: false,
    })),
  ]
}

/** The network that an address with a prefix is in. */
export function networkOf(ip: Ipv4, prefix: number): Cidr {
  const number = ipv4ToNumber(ip)
  return { network: ipv4FromNumber(number - (number % 2 ** (32 - prefix))), prefix }
}
