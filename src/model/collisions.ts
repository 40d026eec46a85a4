/**
 * Finds addresses that both the host's own network and the cloud use, and those that the cloud
 * needs and the host does not have, with a fix for each. Pure.
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
import { type Pool, poolWith, rangesOverlap, wholeRange } from './pools.ts'
import { TRANSIT_RANGE } from './transit.ts'

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
  /** Of the loopback device, where routed networks keep addresses of services. */
  readonly loopback: readonly Ipv4[]
}

/** The addresses that the cloud uses. */
export interface CloudNetwork {
  readonly vpcs: readonly Cidr[]
  /** Link-local addresses of services, the same on all hosts. */
  readonly services: readonly Ipv4[]
  /** Addresses of databases, brokers and other hosts, with the setting that names them. */
  readonly needed: readonly { readonly setting: string; readonly ip: Ipv4 }[]
  /** Of the links between this host and the VPCs that have a network namespace here. */
  readonly transits: readonly Cidr[]
  /** Of floating IPs. */
  readonly pools: readonly Pool[]
  /** Of this host. */
  readonly zone: string
  /** That instances go out with (`network.nat`). */
  readonly natSources: readonly Ipv4[]
  /** Floating IPs of instances of this host. */
  readonly floatingIps: readonly Ipv4[]
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
    ...cloud.transits.flatMap((transit) => transitCollisions(transit, own)),
    ...cloud.pools.flatMap((pool) => poolCollisions(pool, own, cloud)),
    ...cloud.floatingIps.flatMap((ip) => outsideOfPools(ip, cloud)),
    ...cloud.natSources.flatMap((ip) => missingSource(ip, own)),
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
        what: `the route to ${formatCidr(network)}${gateway === null ? '' : ` by ${gateway}`} on ${link ?? 'a link'} overlaps the VPC ${name}: this host cannot reach it`,
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

/** Shared address space (RFC 6598) is also what carriers and VPNs such as Tailscale give out. */
function transitCollisions(transit: Cidr, own: OwnNetwork): readonly Collision[] {
  const name = formatCidr(transit)
  const fix = `remove it from this host, or terminate the VPC's instances here: each VPC has two addresses of ${formatCidr(TRANSIT_RANGE)} between its network and the host`
  const harmless = (what: string): Collision => ({ what, fix, harmsHost: false })
  return [
    ...own.addresses
      .filter(({ ip }) => cidrContains(transit, ip))
      .map(({ link, ip }) => harmless(`${link} has ${ip}, which the link ${name} to a VPC needs`)),
    ...own.routes
      .filter(({ network }) => network.prefix >= transit.prefix && cidrOverlaps(transit, network))
      .map(({ network, link }) =>
        harmless(
          `the route to ${formatCidr(network)} on ${link ?? 'a link'} takes the packets of the link ${name} to a VPC`,
        ),
      ),
  ]
}

/** Addresses of a pool that are somebody's, and a pool that this host cannot serve. */
function poolCollisions(pool: Pool, own: OwnNetwork, cloud: CloudNetwork): readonly Collision[] {
  const { name, ranges, zones, gateway } = pool
  const fix = `take it out of the ranges of the pool ${name} in network.pools, on all hosts`
  const taken = [
    ...own.addresses.map(({ link, ip }) => ({ ip, who: `${link} of this host` })),
    ...own.routers.map((ip) => ({ ip, who: 'the router of this host' })),
    ...own.resolvers.map((ip) => ({ ip, who: 'a resolver in /etc/resolv.conf' })),
    ...cloud.needed.map(({ ip, setting }) => ({ ip, who: `a node of ${setting}` })),
  ].filter(({ ip }) => poolWith([pool], ip) !== undefined)
  const vpcs = cloud.vpcs.filter((vpc) => ranges.some((one) => rangesOverlap(one, wholeRange(vpc))))
  const networks = own.addresses.map(({ ip, prefix }) => wholeRange(networkOf(ip, prefix)))
  const isNear = ranges.some((one) => networks.some((net) => rangesOverlap(one, net)))
  const isServed = zones === null || zones.includes(cloud.zone)
  const isGatewayNear =
    !gateway || own.addresses.some((one) => cidrContains(networkOf(one.ip, one.prefix), gateway))
  return [
    ...taken.map(({ ip, who }) => ({
      what: `the pool ${name} has ${ip}, the address of ${who}: it would be handed out`,
      fix,
      harmsHost: true,
    })),
    ...vpcs.map((vpc) => ({
      what: `the pool ${name} overlaps the VPC ${formatCidr(vpc)}: addresses of both lead nowhere`,
      fix,
      harmsHost: false,
    })),
    ...(isServed && !isGatewayNear
      ? [
          {
            what: `the gateway ${gateway} of the pool ${name} is in no network of this host: packets from its addresses leave by the default route`,
            fix: `give this host an address in the network of ${gateway}, or name the zones that have it in network.pools`,
            harmsHost: false,
          },
        ]
      : []),
    ...(isServed && !isNear && own.routers.length === 0
      ? [
          {
            what: `nobody reaches addresses of the pool ${name} here: this host is in no network that has them, and has no default route`,
            fix: `give this host an address in that network, or name the zones that have it in network.pools`,
            harmsHost: false,
          },
        ]
      : []),
  ]
}

/** An address that was handed out before the pools were changed. It works on. */
function outsideOfPools(ip: Ipv4, { pools }: CloudNetwork): readonly Collision[] {
  if (poolWith(pools, ip) !== undefined) return []
  const what = `an instance has the floating IP ${ip}, which is in no pool of network.pools: it works on, and is not handed out again`
  const fix = `give the instance another address and release ${ip}, or put it back into network.pools on all hosts`
  return [{ what, fix, harmsHost: false }]
}

/** No answers come back to an address that this host does not have. */
function missingSource(source: Ipv4, own: OwnNetwork): readonly Collision[] {
  if (own.addresses.some(({ ip }) => ip === source) || own.loopback.includes(source)) return []
  const what = `network.nat names ${source}, which no link of this host has: nothing goes out with it`
  const fix = `give it to the link that leads outside (ip address add ${source}/32 dev LINK, and in the configuration of the network), or take it out of network.nat`
  return [{ what, fix, harmsHost: false }]
}

/** The network that an address with a prefix is in. */
export function networkOf(ip: Ipv4, prefix: number): Cidr {
  const number = ipv4ToNumber(ip)
  return { network: ipv4FromNumber(number - (number % 2 ** (32 - prefix))), prefix }
}
