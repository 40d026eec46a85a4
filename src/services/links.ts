/**
 * Links, neighbours and routes: a routed NIC for each instance NIC of this host, the gateway
 * device, and the routes to other hosts.
 *
 * - Its part of the want: every NIC of `local.instances` (an instance keeps its links as long as it
 *   is listed, even stopped or ending), those of `local.arriving`, to which routes lead when the
 *   records have given them to the host (`lead`), and those that are to be taken off one;
 *   `shared.subnets`, `vpcs`, `peers` and `routes`. The pure functions are `nicSpec` and
 *   `nicDifferences` in `host/network/nic.ts`, and `routerRoutes`.
 * - A NIC that is taken off its instance is reported when its link is gone. The tap of a virtual
 *   machine stays until the driver has taken it from the machine.
 * - A new daemon recognises its links by name (`model/names.ts`) and its routes by protocol number.
 *   It removes those that the want does not name.
 * - If the daemon dies here, the next pass completes a half-made NIC. The firewall comes first and
 *   passes only what is in its sets. Correct NICs are not touched, so traffic continues.
 * - The drivers move the guest end into an instance (`workloads/driver.ts`), because they know its
 *   process. They are told of NICs that lead into no instance: a running one has lost it.
 */
import type { FabricSpec, NamespaceHost, NicSpec, NicState } from '../host/host.ts'
import { createAddressOwners } from '../host/network/address-owners.ts'
import { nicDifferences, nicSpec } from '../host/network/nic.ts'
import {
  detachingNics,
  goneFacts,
  isHeld,
  isOfOtherAttachment,
  linksOfOthers,
  type WantedNic,
  wantedNics,
} from '../host/network/wanted-nics.ts'
import type { Metrics } from '../lib/metrics.ts'
import type { Ipv4 } from '../model/addr.ts'
import { cidrContains, parseIpv4 } from '../model/addr.ts'
import type { DriverDeclaration } from '../model/driver.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import { type FabricSettings, fabricOverheadBytes, vpcVni } from '../model/fabric.ts'
import type { LooseNic } from '../model/loose-nic.ts'
import { FABRIC_LINK, GATEWAY_LINK } from '../model/names.ts'
import { type Pool, poolWith } from '../model/pools.ts'
import { nextHopOf } from '../model/transit.ts'
import { type HostWant, type InstanceWant, plugName } from '../model/want.ts'
import { carriedAddresses } from '../plan/carried-gateways.ts'
import { routerRoutes } from '../plan/router-routes.ts'
import { serviceAddresses } from '../plan/service-addresses.ts'
import { arrivingPlugs } from '../plan/standby.ts'
import type { HostService, Pass } from './service.ts'

/** The links of a network namespace. */
export interface Links extends HostService {
  /**
   * Leads packets to the NICs of an instance that moved here while it runs, as soon as the records
   * have given it to this host: the wants that say so come later. Errors: `unavailable`; then the
   * next pass does it.
   */
  lead(instance: Pick<InstanceWant, 'driver' | 'nics'>): Promise<void>
}

/**
 * Creates NICs on `host`; the drivers plug them in. The `atoll_links…` metrics count NICs made,
 * repaired, removed and failed.
 */
export function createLinks(options: {
  readonly host: NamespaceHost
  readonly metrics: Metrics
  /** MTU of instance NICs, in bytes. */
  readonly mtu: number
  /** This host's side of the fabric. */
  readonly fabric: FabricSettings
  /** The drivers on this host. */
  readonly drivers: readonly DriverDeclaration[]
  /** The number of the VPC whose namespace `host` is; absent: it is the machine's own. */
  readonly network?: number
  /** What floating IPs are of that leave by this namespace; absent: no pool has a gateway. */
  readonly pools?: readonly Pool[]
  /** Is told in each `apply` of those that lead into no instance. */
  readonly foundLoose: (nics: readonly LooseNic[]) => void
}): Links {
  const { host, metrics, mtu, fabric, drivers, network, pools = [], foundLoose } = options
  const { repairs, removals, failures, nics } = createMeters(metrics)
  const owners = createAddressOwners()
  /** The NICs (`plugName`) that are this host's, though wants may not say so yet. */
  const led = new Set<string>()

  const { remove, ensure } = createRepairs(host, { repairs, removals }, led)

  return {
    name: 'links',
    watchesKernel: 'machine',
    // One failed NIC must not stop the others. A workload waits for its own NIC.
    gate: false,
    apply: async (given) => {
      const pass = { ...given, stays: owners.compare(given.want), led }
      const spec = fabricSpec(pass.want, { fabric, mtu, network })
      const hostErrors = await attemptAll(hostSteps(host, pass, spec), pass.signal)
      const nicsHere = wantedNics(pass.want, mtu, drivers)
      const wanted = new Map(nicsHere.map((nic) => [nic.spec.hostLink, nic]))
      const others = linksOfOthers(pass.want, drivers)
      nics.set(wanted.size)
      const have = await host.nics()
      const detaching = detachingNics(pass.want, drivers)
      const states = new Map(have.map((state) => [state.hostLink, state]))
      const { ids, any } = pass.want.local.unreadable
      // If an instance cannot be read, a link that nobody wants may be its link, so it stays. The
      // firewall passes nothing of it meanwhile.
      const isKnown = ({ hostLink }: NicState) => wanted.has(hostLink) || others.has(hostLink)
      const isUnknown = (state: NicState) => !isKnown(state) && !isHeld(state, detaching)
      const unknown = any || ids.length > 0 ? [] : have.filter(isUnknown)
      const loose: LooseNic[] = []
      // Remove first: an old link may have the route of an address that has a new owner.
      const work = [
        ...unknown.map((state) => () => remove(state, pass)),
        ...[...wanted].map(([name, nic]) => async () => {
          if (!(await ensure(nic, states.get(name), pass))) loose.push(nic.loose)
        }),
      ]
      const errors = await attemptAll(work, pass.signal)
      foundLoose(loose)
      failures.inc(errors.length)
      // A route to a NIC needs its link.
      const last = [() => ensureRouters(host, pass, spec && FABRIC_LINK, pools)]
      const routing = await attemptAll(last, pass.signal)
      throwAll([...hostErrors, ...errors, ...routing])
      owners.keep(pass.want)
      const arriving = arrivingPlugs(pass.want)
      for (const plug of led) if (!arriving.has(plug)) led.delete(plug)
      return detaching.size === 0 ? [] : goneFacts(detaching, await host.nicIndexes())
    },
    async lead({ driver, nics }) {
      const linkType = drivers.find(({ name }) => name === driver)?.linkType
      if (linkType === undefined) throw unavailable(`there is no driver ${driver} here`)
      // Before they are changed, so that a pass that is under way changes nothing back.
      for (const nic of nics) led.add(plugName(nic))
      for (const nic of nics) await host.ensureNic(nicSpec(nic, mtu, linkType))
    },
    close: async () => {},
  }
}

/** What changes a NIC. `led` are those that are this host's, though wants may not say so yet. */
function createRepairs(
  host: NamespaceHost,
  { repairs, removals }: Pick<ReturnType<typeof createMeters>, 'repairs' | 'removals'>,
  led: ReadonlySet<string>,
) {
  const remove = async ({ hostLink, routes }: NicState, { stays, ...pass }: LinksPass) => {
    await host.removeNic(hostLink)
    for (const { ip } of routes) if (!stays(ip)) await host.forgetFlows({ address: ip })
    removals.inc()
    pass.log.info({ link: hostLink }, 'link removed: no instance uses it')
  }
  /** Makes it so. Returns whether its other end is in use, or need not be. */
  const ensure = async (nic: WantedNic, found: NicState | undefined, pass: LinksPass) => {
    const { ending, plug } = nic
    const spec = nic.spec.isArriving === true && led.has(plug) ? here(nic.spec) : nic.spec
    // It was taken from another instance by force, which may still hold it.
    const isOfOther = isOfOtherAttachment(spec, found)
    if (isOfOther && found !== undefined) await remove(found, pass)
    const state = isOfOther ? undefined : found
    // Do not create a link again for an instance that is about to be removed.
    if (ending && state === undefined) return true
    const isInUse = ending || spec.isArriving === true || state?.carrier === true
    if (nicDifferences(spec, state).length === 0) return isInUse
    // Connections of the address's last owner end before the address is routed to the next one. A
    // NIC that has its route has no new owner.
    const isRouted = state?.routes.some(({ ip }) => ip === spec.ip) === true
    if (!isRouted && spec.isArriving !== true && !pass.stays(spec.ip))
      await host.forgetFlows({ address: spec.ip })
    const repaired = await host.ensureNic(spec)
    repairs.inc()
    pass.log.info({ link: spec.hostLink, address: spec.ip, repaired }, 'link created or repaired')
    return isInUse
  }
  return { remove, ensure }
}

/** The same, with routes. */
function here({ isArriving: _, ...spec }: NicSpec): NicSpec {
  return spec
}

/**
 * Routes to peers once more, which lead nowhere until their links are there. To be applied after
 * the namespaces of VPCs: it is for the machine's own.
 */
export function createRoutesToPeers(
  host: Pick<NamespaceHost, 'ensureRouterRoutes' | 'surroundings'>,
  fabric: FabricSettings,
  pools: readonly Pool[],
): HostService {
  return {
    name: 'routes-to-peers',
    watchesKernel: 'vpcs',
    gate: false,
    apply: async (pass) => {
      if (pass.want.routedPeers === undefined) return []
      const hasFabric = fabric.mode === 'vxlan' && fabric.address !== null
      await ensureRouters(host, pass, hasFabric ? FABRIC_LINK : null, pools)
      return []
    },
    close: async () => {},
  }
}

/** `stays` tells whether an address still belongs to the same NIC, here or elsewhere. */
type LinksPass = Pass & {
  readonly stays: (address: Ipv4) => boolean
  readonly led: ReadonlySet<string>
}

function createMeters(metrics: Metrics) {
  return {
    repairs: metrics.counter(
      'atoll_links_repaired_total',
      'Instance NICs that were made or repaired',
    ),
    removals: metrics.counter('atoll_links_removed_total', 'Instance NICs that were removed'),
    failures: metrics.counter(
      'atoll_links_failed_total',
      'Attempts to make, repair or remove an instance NIC that failed',
    ),
    nics: metrics.gauge('atoll_links', 'Instance NICs that are wanted on this host'),
  }
}

/**
 * The gateway device, the fabric device, and the routes to instances on other hosts. A failure of
 * the fabric does not stop the work on this host's own instances.
 */
function hostSteps(
  host: NamespaceHost,
  { want, stays, led, log }: LinksPass,
  spec: FabricSpec | null,
): readonly (() => Promise<void>)[] {
  const vpcs = [...want.shared.vpcs, ...(want.peered ?? [])].map(({ cidr }) => cidr)
  return [
    () => host.ensureGateway(GATEWAY_LINK, serviceAddresses(want.shared)),
    async () => {
      const changed = await host.ensureFabric(FABRIC_LINK, spec)
      if (changed.length > 0) log.info({ link: FABRIC_LINK, changed }, 'fabric changed')
    },
    async () => {
      const link = spec === null ? null : FABRIC_LINK
      const routes = want.shared.routes.filter(({ nic }) => nic === undefined || !led.has(nic))
      const changed = await host.ensureRoutes(routes, vpcs, link)
      for (const address of movedAddresses(changed))
        if (!stays(address)) await host.forgetFlows({ address })
      if (changed.length > 0) log.info({ changed }, 'routes changed')
    },
  ]
}

/** The routes of subnets to routers, here or, by this link, on other hosts; and to peers. */
async function ensureRouters(
  host: Pick<NamespaceHost, 'ensureRouterRoutes' | 'surroundings'>,
  { want, log }: Pass,
  fabricLink: string | null,
  pools: readonly Pool[],
): Promise<void> {
  const gatewayOf = await reachableGateways(host, want, pools)
  const changed = await host.ensureRouterRoutes(routerRoutes(want, fabricLink, gatewayOf))
  if (changed.length > 0) log.info({ changed }, 'routes of subnets changed')
}

/**
 * The gateways of the pools that NAT gateways here have their addresses of. One that no network of
 * this host has is left out, as for other floating IPs: packets leave by the default route.
 */
async function reachableGateways(
  host: Pick<NamespaceHost, 'surroundings'>,
  { shared }: HostWant,
  pools: readonly Pool[],
): Promise<(floatingIp: Ipv4) => Ipv4 | undefined> {
  const gatewayOf = (ip: Ipv4) => poolWith(pools, ip)?.gateway ?? undefined
  const carried = [...carriedAddresses(shared).values()]
  if (carried.every((ip) => gatewayOf(ip) === undefined)) return () => undefined
  const { connected } = await host.surroundings()
  return (ip) => {
    const gateway = gatewayOf(ip)
    return gateway !== undefined && connected.some((net) => cidrContains(net, gateway))
      ? gateway
      : undefined
  }
}

/**
 * Addresses of instances elsewhere whose route was created, removed or changed, as `ensureRoutes`
 * reports.
 */
function movedAddresses(changed: readonly string[]): ReadonlySet<Ipv4> {
  return new Set(
    changed.flatMap((change) => {
      const address = /^[+-]unicast ([\d.]+)\/32 /.exec(change)?.[1]
      return address === undefined ? [] : (parseIpv4(address) ?? [])
    }),
  )
}

/** What a namespace has of the fabric. */
interface FabricSide {
  readonly fabric: FabricSettings
  readonly mtu: number
  readonly network: number | undefined
}

/**
 * A VPC with a namespace has a VXLAN network of its own, and next hops that are no VPC's. It needs
 * one in mode `direct`, too: on a shared segment a packet shows its addresses and no VPC. There,
 * NICs have the segment's MTU and the device less, so that instances learn it where it matters.
 */
function fabricSpec(want: HostWant, { fabric, mtu, network }: FabricSide): FabricSpec | null {
  const { mode, address: underlay, vni, port } = fabric
  if (underlay === null) return null
  const peers = want.shared.peers.map(({ address, underlay = address }) => ({ address, underlay }))
  if (network !== undefined)
    return {
      ...{ underlay, address: nextHopOf(underlay), vni: vpcVni(vni, network), port, peers },
      mtu: mode === 'vxlan' ? mtu : mtu - fabricOverheadBytes({ ...fabric, mode: 'vxlan' }),
    }
  return mode === 'vxlan' ? { underlay, address: underlay, vni, port, mtu, peers } : null
}

/**
 * Runs all pieces of work in order, also after one has failed. Stops early only when the daemon
 * stops.
 */
async function attemptAll(
  work: readonly (() => Promise<void>)[],
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const errors: unknown[] = []
  for (const each of work) {
    if (signal.aborted) break
    try {
      await each()
    } catch (error) {
      errors.push(error)
    }
  }
  return errors
}

/** Errors: `unavailable` when there is any. */
function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 0) return
  throw unavailable(
    `${errors.length} links are not as they should be: ${messageOf(errors[0])}`,
    new AggregateError(errors),
  )
}
