/**
 * A host's want, divided by network namespaces: one part for the machine's own, which has every VPC
 * without a number, and one for each other VPC that the host has instances in. Pure.
 *
 * Each part is a want by itself, as if there were nothing else on the host. So two VPCs may have
 * the same addresses, and a service that is given one part knows nothing of any other.
 */
import type { VpcId } from '../model/ids.ts'
import { nextHopOf, type Transit, transitOf } from '../model/transit.ts'
import type { HostWant, SharedWant } from '../model/want.ts'

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

/** The parts of the want. Without numbered VPCs the machine's own part is the want itself. */
export function wantsByVpc(want: HostWant): VpcWants {
  const { local, shared } = want
  const nics = local.instances.flatMap((instance) => instance.nics)
  if ([...shared.vpcs, ...nics].every(({ network }) => network === undefined))
    return { own: want, vpcs: new Map() }
  const numbers = new Map(shared.vpcs.map(({ id, network }) => [id, network]))
  const used = new Set(nics.map(({ network }) => network))
  const vpcs = new Map<number, VpcWant>()
  for (const [vpc, network] of numbers)
    if (network !== undefined && used.has(network))
      vpcs.set(network, { vpc, want: vpcWant(want, vpc, network) })
  return {
    own: {
      local: { ...local, instances: instancesIn(want, undefined) },
      shared: partOf(shared, (vpc) => vpc === undefined || numbers.get(vpc) === undefined),
      transits: [...vpcs]
        .toSorted(([a], [b]) => a - b)
        .map(([network, part]) => ({ ...transitOf(network), ...floatingIpsOf(part) })),
    },
    vpcs,
  }
}

function floatingIpsOf({ want }: VpcWant): Pick<Transit, 'floatingIps'> {
  const nics = want.local.instances.flatMap((instance) => instance.nics)
  const floatingIps = nics.flatMap(({ publicIp }) => publicIp ?? [])
  return floatingIps.length === 0 ? {} : { floatingIps }
}

function vpcWant(want: HostWant, id: VpcId, network: number): HostWant {
  const { local, shared } = want
  const part = partOf(shared, (vpc) => vpc === id)
  return {
    // What is not of the network is the machine's own.
    local: {
      ...local,
      instances: instancesIn(want, network),
      ...{ images: [], volumes: [], captures: [], keptImages: null },
    },
    shared: {
      ...part,
      peers: shared.peers.map(({ host, address }) => ({
        host,
        address: nextHopOf(address),
        underlay: address,
      })),
      routes: part.routes.map((route) => ({ ...route, via: nextHopOf(route.via) })),
    },
  }
}

/**
 * The instances with NICs in a namespace, with these NICs. Those without any NIC are in the
 * machine's own.
 */
function instancesIn({ local }: HostWant, network: number | undefined) {
  return local.instances.flatMap((instance) => {
    const nics = instance.nics.filter((nic) => nic.network === network)
    if (nics.length === instance.nics.length && (nics.length > 0 || network === undefined))
      return [instance]
    return nics.length === 0 ? [] : [{ ...instance, nics }]
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
  return vpc !== null && numbered.has(vpc)
    ? partOf(shared, (one) => one === vpc)
    : partOf(shared, (one) => one === undefined || !numbered.has(one))
}
