/**
 * Floating IPs on this host: that the network sends here what is for them, and that connections of
 * a binding that has ended end with it.
 *
 * - Its part of want: `publicIp` of every NIC of `local.instances`; in the machine's own namespace
 *   also `transits` and NAT gateways that this host carries. The translation is the part of the
 *   firewall (`plan/floating.ts`), which comes first.
 * - A fresh daemon recognises its routes and proxy entries by protocol number, and connections of a
 *   binding that has ended by their translation.
 * - If we die on any line here, the next pass makes the rest. What is there already is not touched.
 */
import type { Host, NamespaceHost } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Ipv4 } from '../model/addr.ts'
import { GATEWAY_LINK } from '../model/names.ts'
import { type Pool, poolWith } from '../model/pools.ts'
import type { HostWant } from '../model/want.ts'
import { carriedAddresses } from '../plan/carried-gateways.ts'
import { type FloatingIps, servedFloatingIps, wantedFloatingIps } from '../plan/floating.ts'
import type { HostService } from './service.ts'

/** An announcement may be lost, or be followed by an answer of the host that had the address. */
const ANNOUNCE_AGAIN_MS = [100, 400, 1000]

/**
 * Ends connections of bindings that have ended, in one namespace. It comes after the firewall, so
 * that no connection begins by them any more. Those that an older daemon has left were ended by the
 * firewall (`withdrawn-flows.ts`).
 */
export function createFloatingIpFlows(options: {
  readonly host: Pick<NamespaceHost, 'surroundings' | 'forgetFlows'>
}): HostService {
  const { host } = options
  /** Null: what an older daemon left is not known. */
  let bound: ReadonlyMap<Ipv4, Ipv4> | null = null
  return {
    name: 'floating-ip-flows',
    watchesKernel: 'machine',
    gate: false,
    apply: async ({ want }) => {
      if (bound?.size === 0 && wantedFloatingIps(want).length === 0) return []
      const carried = [...carriedAddresses(want.shared).values()]
      const routing = await host.surroundings()
      const { own: ofNics } = servedFloatingIps(want, routing)
      // Of a NAT gateway, whether it is here.
      const own = new Map([...ofNics, ...carried.map((ip) => [ip, ip] as const)])
      if (bound !== null)
        for (const address of new Set([...bound.keys(), ...own.keys()]))
          if (bound.get(address) !== own.get(address)) await host.forgetFlows({ address })
      bound = own
      return []
    },
    close: async () => {},
  }
}

/** Who is told which floating IPs are here (`next-hops.ts`). */
interface Announcing {
  announce(addresses: ReadonlySet<Ipv4>): void
  failing(): readonly string[]
  close(): Promise<void>
}

/** Who knows which addresses another host has taken over (`yielded-addresses.ts`). */
interface Yielding {
  yielded(want: HostWant): ReadonlySet<Ipv4>
  close(): void
}

/** What the network needs to know, in the machine's own namespace. */
export function createFloatingIps(options: {
  readonly host: Pick<
    Host,
    | 'surroundings'
    | 'ensureFloatingIps'
    | 'ensurePoolGateways'
    | 'announceFloatingIps'
    | 'forgetFlows'
  >
  readonly clock: Pick<Clock, 'after'>
  readonly pools: readonly Pool[]
  /** Absent: there is no program that wants to know. */
  readonly nextHops?: Announcing
  /** Absent: no other host can take an address over. */
  readonly yielding?: Yielding
}): HostService {
  const { host, clock, pools, nextHops, yielding } = options
  let served: ReadonlySet<Ipv4> = new Set()
  /** Whether nothing is wanted, and what an older daemon left has been removed. */
  let isClear = false
  const announcements = createAnnouncements(host, clock, pools, () => served)
  const warnOfTaken = createTakenWarning()
  return {
    name: 'floating-ips',
    watchesKernel: 'machine',
    gate: false,
    apply: async ({ want, log, signal, resync }) => {
      const isWanted = wantedFloatingIps(want).length > 0
      if (!isWanted) nextHops?.announce(new Set())
      if (isClear && !isWanted && !resync) return []
      const known = servedFloatingIps(want, await host.surroundings())
      const yielded = yielding?.yielded(want)
      const isKept = (address: Ipv4) => yielded?.has(address) !== true
      const now: FloatingIps = {
        ...known,
        passed: new Map([...known.passed].filter(([address]) => isKept(address))),
        carried: new Set([...known.carried].filter(isKept)),
      }
      served = addressesIn(now)
      warnOfTaken(want, addressesIn(known), log)
      isClear = false
      const gateways = await host.ensurePoolGateways(gatewaysOf(now, pools))
      if (gateways.length > 0) log.info({ changed: gateways }, 'gateways of pools changed')
      const { came, went } = await host.ensureFloatingIps(routesOf(now, pools))
      nextHops?.announce(served)
      isClear = !isWanted
      // Elsewhere, or with another owner, they had other connections.
      for (const address of new Set([...came, ...went])) await host.forgetFlows({ address })
      if (came.length > 0 || went.length > 0) log.info({ came, went }, 'floating IPs changed')
      // Another host may still answer for one that it had, if its daemon was away meanwhile.
      announcements.repeat(resync ? [...served] : came, log, signal)
      return []
    },
    hanging: () => nextHops?.failing() ?? [],
    close: async () => {
      announcements.close()
      yielding?.close()
      await nextHops?.close()
    },
  }
}

function addressesIn({ own, passed, carried }: FloatingIps): ReadonlySet<Ipv4> {
  return new Set([...own.keys(), ...passed.keys(), ...carried])
}

function routesOf({ own, passed, carried }: FloatingIps, pools: readonly Pool[]) {
  const gateway = (address: Ipv4) => gatewayOf(address, pools)
  return [
    ...[...own.keys(), ...carried].map((address) => ({
      ...{ address, link: GATEWAY_LINK, via: null },
      gateway: gateway(address),
    })),
    ...[...passed].map(([address, { link, address: via }]) => ({
      ...{ address, link, via },
      gateway: gateway(address),
    })),
  ]
}

/**
 * By which gateways packets leave: those of VPCs with a namespace come from the floating IP, others
 * still from the private address where they are routed. What goes by a NAT gateway here has routes
 * of its subnets (`plan/router-routes.ts`); here the gateway becomes one that instances may use.
 */
function gatewaysOf({ own, passed, carried }: FloatingIps, pools: readonly Pool[]) {
  const from = (source: Ipv4, floatingIp: Ipv4) => {
    const gateway = gatewayOf(floatingIp, pools)
    return gateway === undefined ? [] : [{ source, gateway }]
  }
  return [
    ...[...own].flatMap(([floatingIp, ip]) => from(ip, floatingIp)),
    ...[...passed.keys(), ...carried].flatMap((floatingIp) => from(floatingIp, floatingIp)),
  ]
}

function gatewayOf(address: Ipv4, pools: readonly Pool[]): Ipv4 | undefined {
  return poolWith(pools, address)?.gateway ?? undefined
}

/** Announcements that are yet to be made. */
function createAnnouncements(
  host: Pick<Host, 'announceFloatingIps'>,
  clock: Pick<Clock, 'after'>,
  pools: readonly Pool[],
  served: () => ReadonlySet<Ipv4>,
) {
  const waiting = new Set<() => void>()
  const announce = async (addresses: readonly Ipv4[], log: Log, signal: AbortSignal) => {
    const still = addresses
      .filter((address) => served().has(address))
      .map((address) => ({ address, gateway: gatewayOf(address, pools) }))
    if (signal.aborted || still.length === 0) return
    try {
      await host.announceFloatingIps(still)
    } catch (error) {
      log.warn({ error }, 'floating IPs could not be announced again')
    }
  }
  return {
    repeat(addresses: readonly Ipv4[], log: Log, signal: AbortSignal): void {
      if (addresses.length === 0) return
      for (const ms of ANNOUNCE_AGAIN_MS) {
        const cancel = clock.after(ms, () => {
          waiting.delete(cancel)
          void announce(addresses, log, signal)
        })
        waiting.add(cancel)
      }
    },
    close(): void {
      for (const cancel of waiting) cancel()
      waiting.clear()
    },
  }
}

/** Warns once of each floating IP that something else has. */
function createTakenWarning() {
  let warned: ReadonlySet<Ipv4> = new Set()
  return (want: HostWant, served: ReadonlySet<Ipv4>, log: Log): void => {
    const taken = wantedFloatingIps(want).filter((ip) => !served.has(ip))
    for (const address of taken)
      if (!warned.has(address))
        log.error(
          { address, fix: 'take the address out of network.pools, and associate another' },
          'a floating IP leads nowhere: this host, its router or another host has the address',
        )
    warned = new Set(taken)
  }
}
