/**
 * How destinations see the private addresses of a VPC that has a namespace (`network.nat`,
 * `exceptions`). Pure.
 *
 * The machine's own namespace cannot know such addresses: two VPCs may have the same, and so may
 * machines that the host talks to. So a packet is translated twice, and comes out as it was.
 * Inside, its source becomes an address that no other NIC of the host has, the stand-in; in the
 * machine's own namespace it becomes the private address again. Both are 1:1, so the port stays. An
 * answer belongs to a connection that is tracked, so it finds its VPC without a route to the
 * private address, and nothing that the host itself sends there is led astray.
 *
 * Of VPCs that overlap, destinations see the addresses of one: that in the machine's own namespace,
 * else the one with the lowest number, which is the oldest. What they see must be told apart, and a
 * new VPC must not take it from another.
 */
import { type Cidr, cidrContains, type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../model/addr.ts'
import type { HostRouting } from '../model/host-routing.ts'
import type { VpcId } from '../model/ids.ts'
import { type NatSettings, type NatShare, natExceptions, ownExceptions } from '../model/nat.ts'
import { STAND_IN_RANGE, type StandIn } from '../model/transit.ts'
import { isPrivate } from '../model/vpc-range.ts'
import { addressesOf, type HostWant } from '../model/want.ts'
import type { ReachSettings } from './reach.ts'
import type { VpcWants } from './vpc-wants.ts'

/** A NIC has as many stand-ins: those that begin with the first port of its share. */
const OF_ONE_NIC = 256
/** The network of a NIC's stand-ins. */
export const NIC_STAND_INS_PREFIX = 24

/** A range of a VPC, as far as it matters here. */
interface ShownVpc {
  readonly id: VpcId
  readonly cidr: Cidr
  /** Absent or null: it is in the machine's own namespace. */
  readonly network?: number | null | undefined
}

/** The parts of this want, with stand-ins where the settings ask for them. */
export function withStandIns(
  { own, vpcs }: VpcWants,
  { shared }: HostWant,
  settings: NatSettings,
): VpcWants {
  const shown = shownVpcs(shared.vpcs, settings)
  if (shown.size === 0) return { own, vpcs }
  const standIns = new Map(
    [...vpcs.values()].map(({ vpc, want }) => [vpc, shown.has(vpc) ? standInsOf(want) : []]),
  )
  const of = (vpc: VpcId | undefined) => {
    const found = vpc === undefined ? [] : (standIns.get(vpc) ?? [])
    return found.length === 0 ? {} : { standIns: found }
  }
  return {
    own: {
      ...own,
      transits: own.transits?.map((transit) => ({ ...transit, ...of(transit.vpc) })),
    },
    vpcs: new Map(
      [...vpcs].map(([network, part]) => [
        network,
        { ...part, want: { ...part.want, ...of(part.vpc) } },
      ]),
    ),
  }
}

/** The VPCs, of all in the cloud, whose addresses exceptions see. */
export function shownVpcs(vpcs: readonly ShownVpc[], settings: NatSettings): ReadonlySet<VpcId> {
  if (settings.exceptions.length === 0 && settings.vpcs.every((one) => !one.exceptions?.length))
    return new Set()
  // A tenant chooses the range. With public addresses it would pass for somebody else.
  const mayShow = ({ id, cidr, network }: ShownVpc) =>
    natExceptions(settings, id).length > 0 &&
    ((network ?? null) === null ||
      isPrivate(cidr) ||
      ownExceptions(settings.vpcs, id) !== undefined)
  const first = firstOfOverlapping(vpcs)
  const hidden = new Set(vpcs.flatMap((vpc) => (mayShow(vpc) && first(vpc) ? [] : vpc.id)))
  return new Set(vpcs.flatMap(({ id }) => (hidden.has(id) ? [] : id)))
}

/**
 * Tells whether a VPC is the first of those that it overlaps. Of two networks that overlap, one is
 * in the other, so each is looked up among the networks that it is in, and they among its.
 */
function firstOfOverlapping(vpcs: readonly ShownVpc[]): (vpc: ShownVpc) => boolean {
  const order = ({ network }: ShownVpc) => network ?? 0
  /** The lowest number of what is this network, and of what is in it. */
  const [exactly, within] = [new Map<string, number>(), new Map<string, number>()]
  const note = (lowest: Map<string, number>, key: string, number: number) =>
    lowest.set(key, Math.min(lowest.get(key) ?? Number.POSITIVE_INFINITY, number))
  for (const vpc of vpcs) {
    const [own, ...wider] = networksAround(vpc.cidr)
    if (own !== undefined) note(exactly, own, order(vpc))
    for (const key of wider) note(within, key, order(vpc))
  }
  return (vpc) => {
    const around = networksAround(vpc.cidr)
    const lowest = Math.min(
      ...around.map((key) => exactly.get(key) ?? Number.POSITIVE_INFINITY),
      within.get(around[0] ?? '') ?? Number.POSITIVE_INFINITY,
    )
    return order(vpc) <= lowest
  }
}

/** The network itself and all that it is in, as keys. */
function networksAround({ network, prefix }: Cidr): readonly string[] {
  const start = ipv4ToNumber(network)
  return Array.from({ length: prefix + 1 }, (_, shorter) => {
    const length = prefix - shorter
    const size = 2 ** (32 - length)
    return `${start - (start % size)}/${length}`
  })
}

/** Of the NICs that have a share. It keeps them apart from all other NICs of the host. */
function standInsOf({ local, natShares = [] }: HostWant): readonly StandIn[] {
  const shares = new Map(natShares.map((share) => [share.nic, share]))
  return local.instances
    .flatMap((instance) => instance.nics)
    .flatMap((nic) => {
      const share = shares.get(nic.id)
      return share === undefined ? [] : standInsOfNic(addressesOf(nic), share)
    })
}

/** Each by its last byte, if it is free: so the others stay when one goes. */
function standInsOfNic(addresses: readonly Ipv4[], { first }: NatShare): readonly StandIn[] {
  const begin = ipv4ToNumber(STAND_IN_RANGE.network) + first * OF_ONE_NIC
  const taken = new Set<number>()
  return addresses.slice(0, OF_ONE_NIC).map((ip) => {
    let at = ipv4ToNumber(ip) % OF_ONE_NIC
    while (taken.has(at)) at = (at + 1) % OF_ONE_NIC
    taken.add(at)
    return { ip, as: ipv4FromNumber(begin + at) }
  })
}

/**
 * Networks of the host and of its pools: an instance with such an address would pass for others.
 */
export function takenBy(
  { connected, addresses, defaultRoutes }: HostRouting,
  { pools, engines }: Pick<ReachSettings, 'pools' | 'engines'>,
): readonly Cidr[] {
  const single = [
    ...addresses,
    ...engines,
    ...defaultRoutes.flatMap(({ gateway }) => gateway ?? []),
  ]
  return [...connected, ...pools, ...single.map((network) => ({ network, prefix: 32 }))]
}

/** Whether destinations see this address of a VPC with a namespace: it is nobody's on this host. */
export function isSeen(ip: Ipv4, taken: readonly Cidr[]): boolean {
  return !taken.some((net) => cidrContains(net, ip))
}
