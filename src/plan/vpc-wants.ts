/**
 * A host's want, divided by network namespaces: one part for the machine's own, which has every VPC
 * without a number, and one for each other VPC that the host has instances in. Pure.
 *
 * Of two peered VPCs, the one with the lower number crosses, or the one without: its packets go
 * over to the namespace of the other one on its own host, and from there on they travel as the
 * other VPC's. So packets of both directions take the same way, and a host that has instances of
 * the lower one only has the namespace of the other, too.
 *
 * Each part is a want by itself, as if there were nothing else on the host. So two VPCs may have
 * the same addresses, and a service that is given one part knows nothing of any other.
 */
import type { VpcId } from '../model/ids.ts'
import { peerLinkName } from '../model/names.ts'
import { MACHINE_NETWORK, type PeeredVpc, type RoutedPeer } from '../model/peering.ts'
import { nextHopOf, type Transit, transitOf } from '../model/transit.ts'
import { floatingIpsOf, type HostWant, type InstanceWant, type SharedWant } from '../model/want.ts'
import { carriedAddresses } from './carried-gateways.ts'
import { peersIn, withPeerRecords } from './peer-records.ts'

/** The parts. */
export interface VpcWants {
  readonly own: HostWant
  /** By the number of the VPC. */
  readonly vpcs: ReadonlyMap<number, VpcWant>
}

/** The part of one VPC, which may lie on other hosts, too. */
interface VpcWant {
  readonly vpc: VpcId
  readonly want: HostWant
}

/**
 * The parts of the want. Without numbered VPCs the machine's own part is the want itself.
 * Everything is looked at once, however many VPCs there are.
 */
export function wantsByVpc(want: HostWant): VpcWants {
  const { local, shared } = want
  const nics = [...local.instances, ...(local.arriving ?? [])].flatMap(({ nics }) => nics)
  if ([...shared.vpcs, ...nics].every(({ network }) => network === undefined))
    return { own: want, vpcs: new Map() }
  const numbers = new Map(shared.vpcs.map(({ id, network }) => [id, network]))
  const instances = instancesByNetwork(local.instances)
  const arriving = instancesByNetwork(local.arriving ?? [])
  const partOfVpc = createParts(shared)
  const here = new Set(nics.map(({ vpc }) => vpc))
  const peersOf = createPeers(shared, ({ id, network }) =>
    network === undefined ? here.has(id) : instances.has(network) || arriving.has(network),
  )
  const peers = shared.peers.map(({ host, address }) => ({
    ...{ host, address: nextHopOf(address), underlay: address },
  }))
  const vpcs = new Map<number, VpcWant>()
  for (const [vpc, network] of numbers) {
    if (network === undefined) continue
    const peered = peersOf(vpc)
    const inside = instances.get(network) ?? []
    const isUsed = inside.length > 0 || arriving.has(network)
    if (!isUsed && peered.every(({ link }) => link === null)) continue
    const part = withPeerRecords(partOfVpc(vpc), peerParts(peered, partOfVpc))
    const routes = [part, ...crossing(peered, network).map(partOfVpc)]
      .flatMap((one) => one.routes)
      .map((route) => ({ ...route, via: nextHopOf(route.via) }))
    // What is not of the network is the machine's own. The host's generation advances with each of
    // its instances, and would make each part differ.
    const rest = { generation: 0, images: [], volumes: [], captures: [], keptImages: null }
    vpcs.set(network, {
      vpc,
      want: {
        ...(peered.length === 0 ? {} : { peered }),
        local: { ...local, instances: inside, ...rest, ...arrivingIn(arriving, network) },
        shared: { ...part, subnets: part.subnets.map(withNextHops), peers, routes },
      },
    })
  }
  const routedPeers = shared.vpcs.flatMap((vpc) =>
    vpc.network === undefined ? routedPeersOf(vpc, peersOf(vpc.id)) : [],
  )
  const own = partOf(shared, (vpc) => vpc === undefined || numbers.get(vpc) === undefined)
  return {
    own: {
      ...(routedPeers.length === 0 ? {} : { routedPeers }),
      local: {
        ...local,
        instances: instances.get(undefined) ?? [],
        ...arrivingIn(arriving, undefined),
      },
      shared: withPeerRecords(own, peerParts(routedPeers, partOfVpc)),
      transits: [...vpcs]
        .toSorted(([a], [b]) => a - b)
        .map(([network, part]) => ({
          ...{ ...transitOf(network), vpc: part.vpc },
          ...floatingIpsIn(part),
        })),
    },
    vpcs,
  }
}

/** Those of a namespace that move here while they run. */
function arrivingIn(
  arriving: ReturnType<typeof instancesByNetwork>,
  network: number | undefined,
): Pick<HostWant['local'], 'arriving'> {
  return arriving.size === 0 ? {} : { arriving: arriving.get(network) ?? [] }
}

/** What is of these peers, each once, however many ranges it has. */
function peerParts(peered: readonly PeeredVpc[], partOfVpc: (vpc: VpcId) => SharedWant) {
  const each = new Map(peered.map((peer) => [`${peer.vpc} ${peer.id}`, peer]))
  return [...each.values()].map(({ vpc, showsPrivate = false }) => ({
    part: partOfVpc(vpc),
    showsPrivate,
  }))
}

/** The subnet with next hops as its namespace has them. */
function withNextHops(subnet: SharedWant['subnets'][number]): SharedWant['subnets'][number] {
  if (subnet.routes?.some(({ to }) => 'via' in to) !== true) return subnet
  return {
    ...subnet,
    routes: subnet.routes.map(({ destination, to }) =>
      'via' in to && to.via !== undefined
        ? { destination, to: { ...to, via: nextHopOf(to.via) } }
        : { destination, to },
    ),
  }
}

function floatingIpsIn({ want }: VpcWant): Pick<Transit, 'floatingIps' | 'carried'> {
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  const ofNics = nics.flatMap((nic) => floatingIpsOf(nic).map(({ publicIp }) => publicIp))
  const carried = [...carriedAddresses(want.shared).values()]
  const floatingIps = [...ofNics, ...carried]
  return {
    ...(floatingIps.length === 0 ? {} : { floatingIps }),
    ...(carried.length === 0 ? {} : { carried }),
  }
}

/** The peers of a VPC in the machine's own namespace; none without instances of it here. */
function routedPeersOf(
  { id: own, cidr: ownCidr }: SharedWant['vpcs'][number],
  peers: readonly PeeredVpc[],
): readonly RoutedPeer[] {
  return peers.flatMap((peer) =>
    peer.link === null || peer.network === MACHINE_NETWORK
      ? []
      : { ...peer, link: peer.link, own, ownCidr },
  )
}

/**
 * A function that gives the VPCs that are peered with one, and the links to those that this host
 * has a link to. `isUsed` tells whether the host has instances of a VPC.
 */
function createPeers(
  { peerings = [], vpcs }: SharedWant,
  isUsed: (vpc: SharedWant['vpcs'][number]) => boolean,
): (vpc: VpcId) => readonly PeeredVpc[] {
  const known = Map.groupBy(vpcs, (vpc) => vpc.id)
  const pairs = Map.groupBy(
    peerings.flatMap(({ id, vpcs: [a, b], showPrivate = [] }) => [
      { id, own: a, other: b, showPrivate },
      { id, own: b, other: a, showPrivate },
    ]),
    ({ own }) => own,
  )
  return (vpc) =>
    (pairs.get(vpc) ?? []).flatMap(({ id, own, other, showPrivate }) => {
      const [[self] = [], ranges = []] = [known.get(own), known.get(other)]
      const [peer] = ranges
      if (self === undefined || peer === undefined) return []
      const { network = MACHINE_NETWORK } = peer
      const crossing = (self.network ?? MACHINE_NETWORK) < network ? self : peer
      const link = isUsed(crossing) ? peerLinkName(network) : null
      const shows = showPrivate.includes(other) ? { showsPrivate: true as const } : {}
      return ranges.map(({ cidr }) => ({ id, vpc: other, network, cidr, link, ...shows }))
    })
}

/** The peers that cross: what they have on other hosts comes and goes as this VPC's. */
function crossing(peered: readonly PeeredVpc[], network: number): readonly VpcId[] {
  return [...new Set(peered.flatMap((peer) => (peer.network < network ? peer.vpc : [])))]
}

/**
 * The instances with NICs in each namespace, with these NICs. Those without any NIC are in the
 * machine's own.
 */
function instancesByNetwork(
  instances: readonly InstanceWant[],
): ReadonlyMap<number | undefined, readonly InstanceWant[]> {
  const found = new Map<number | undefined, InstanceWant[]>()
  const add = (network: number | undefined, instance: InstanceWant) => {
    const there = found.get(network)
    if (there === undefined) found.set(network, [instance])
    else there.push(instance)
  }
  for (const instance of instances) {
    const nics = Map.groupBy(instance.nics, ({ network }) => network)
    if (nics.size === 0) add(undefined, instance)
    for (const [network, own] of nics)
      add(network, nics.size === 1 ? instance : { ...instance, nics: own })
  }
  return found
}

/** A function that gives what is of one VPC, and all peers. */
function createParts(shared: SharedWant): (vpc: VpcId) => SharedWant {
  const byVpc = <T extends { readonly vpc?: VpcId | undefined }>(all: readonly T[]) => {
    const found = Map.groupBy(all, ({ vpc }) => vpc)
    return (vpc: VpcId): readonly T[] => found.get(vpc) ?? []
  }
  const vpcs = Map.groupBy(shared.vpcs, ({ id }) => id)
  const [subnets, groups] = [byVpc(shared.subnets), byVpc(shared.groups)]
  const [names, routes] = [byVpc(shared.names), byVpc(shared.routes)]
  return (vpc) => ({
    subnets: subnets(vpc),
    vpcs: vpcs.get(vpc) ?? [],
    groups: groups(vpc),
    names: names(vpc),
    peers: shared.peers,
    routes: routes(vpc),
  })
}

/** What is of some VPCs, and all peers. */
function partOf(shared: SharedWant, has: (vpc: VpcId | undefined) => boolean): SharedWant {
  const isPart = ({ vpc }: { readonly vpc?: VpcId | undefined }) => has(vpc)
  return {
    subnets: shared.subnets.filter(isPart),
    vpcs: shared.vpcs.filter(({ id }) => has(id)),
    groups: shared.groups.filter(isPart),
    names: shared.names.filter(isPart),
    peers: shared.peers,
    routes: shared.routes.filter(isPart),
  }
}

/** What the namespace of a VPC has of the shared want; null: the machine's own namespace. */
export function sharedBeside(shared: SharedWant, vpc: VpcId | null): SharedWant {
  const numbered = new Set(shared.vpcs.flatMap((one) => (one.network === undefined ? [] : one.id)))
  const own =
    vpc === null || !numbered.has(vpc)
      ? partOf(shared, (one) => one === undefined || !numbered.has(one))
      : partOf(shared, (one) => one === vpc)
  if (vpc === null) return own
  const peers = peersIn(shared.peerings ?? [], vpc).map((peer) => ({
    part: partOf(shared, (one) => one === peer.vpc),
    showsPrivate: peer.showsPrivate,
  }))
  return withPeerRecords(own, peers)
}
