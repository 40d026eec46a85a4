/**
 * What the host end of a NIC should be, and how the kernel's state differs from it. Pure.
 *
 * A pass over a thousand unchanged NICs costs one dump and these comparisons.
 */
import type { Ipv4, Mac } from '../../model/addr.ts'
import type { LinkType } from '../../model/driver.ts'
import { guestLinkName, nicLinkName } from '../../model/names.ts'
import type { NicWant } from '../../model/want.ts'
import type { NicSpec, NicState } from '../host.ts'
import type { LinkState, NeighbourState, RouteState } from '../netlink/ip-decode.ts'

/**
 * The Ethernet address of every host end. The same on every link and every host, so that a guest's
 * ARP cache stays right when its pair is made again. Locally administered (IEEE 802 clause 8.2).
 */
export const HOST_END_MAC = '02:61:74:6f:6c:6c' as Mac

/**
 * One kernel setting of a NIC's host end: where it is written, and where a link dump shows it
 * (`IPV4_DEVCONF_…`, linux/ip.h).
 */
interface NicSetting {
  readonly name: string
  readonly devconf: number
  readonly value: number
}

/** See Documentation/networking/ip-sysctl of the kernel. */
const IPV4_SETTINGS: readonly NicSetting[] = [
  { name: 'forwarding', devconf: 1, value: 1 },
  // Answer ARP for every address that is reached through another link: all of the guest's traffic
  // comes to us.
  { name: 'proxy_arp', devconf: 3, value: 1 },
  { name: 'accept_redirects', devconf: 4, value: 0 },
  { name: 'send_redirects', devconf: 6, value: 0 },
  { name: 'accept_source_route', devconf: 9, value: 0 },
  // Reverse path filtering uses the packet's mark, so that it drops unverified packets
  // (`lock.ts`).
  { name: 'src_valid_mark', devconf: 24, value: 1 },
]

/**
 * Reverse path filtering: works even without nftables rules. Strict for a guest that sends from its
 * own addresses only, else loose. The kernel uses the larger of this and the setting for all links.
 */
const RP_FILTER = { name: 'rp_filter', devconf: 8, strict: 1, loose: 2 } as const

/** The settings to write for one host end, below /proc/sys/net. */
export function nicSettings({
  hostLink,
  isRouter = false,
}: Pick<NicSpec, 'hostLink' | 'isRouter'>): readonly {
  readonly name: string
  readonly value: string
}[] {
  return [
    { name: `ipv6/conf/${hostLink}/disable_ipv6`, value: '1' },
    ...IPV4_SETTINGS.map(({ name, value }) => ({
      name: `ipv4/conf/${hostLink}/${name}`,
      value: String(value),
    })),
    {
      name: `ipv4/conf/${hostLink}/${RP_FILTER.name}`,
      value: String(isRouter ? RP_FILTER.loose : RP_FILTER.strict),
    },
    { name: proxyDelaySetting(hostLink), value: '0' },
  ]
}

/**
 * Proxy ARP answers after a random delay of up to 0.8 s unless told otherwise; no dump shows it.
 */
export function proxyDelaySetting(hostLink: string): string {
  return `ipv4/neigh/${hostLink}/proxy_delay`
}

/** The state of a NIC, from dumps. `proxyDelay` is the value of `proxyDelaySetting`. */
export function nicState(
  link: LinkState,
  dumps: {
    readonly guestAtHome: boolean
    readonly routes: readonly RouteState[]
    readonly neighbours: readonly NeighbourState[]
    readonly proxyDelay: string | null
    readonly locked: boolean
    readonly hasAddress?: boolean
  },
): NicState {
  const wrong = IPV4_SETTINGS.filter(
    ({ devconf, value }) => link.ipv4Settings[devconf - 1] !== value,
  )
  const filter = link.ipv4Settings[RP_FILTER.devconf - 1]
  const filters: readonly unknown[] = [RP_FILTER.strict, RP_FILTER.loose]
  return {
    hostLink: link.name,
    index: link.index,
    mtu: link.mtu,
    up: link.up,
    carrier: link.carrier,
    guestAtHome: dumps.guestAtHome,
    routes: dumps.routes.map(({ destination, source }) => ({ ip: destination, gateway: source })),
    neighbours: dumps.neighbours.map(({ ip, mac }) => ({ ip, mac })),
    locked: dumps.locked,
    wrongSettings: [
      ...wrong.map(({ name }) => name),
      ...(filters.includes(filter) ? [] : [RP_FILTER.name]),
      ...(link.ipv6Disabled === false ? ['disable_ipv6'] : []),
      ...(dumps.proxyDelay === '0' ? [] : ['proxy_delay']),
    ],
    ...(filter === RP_FILTER.loose && dumps.hasAddress === true
      ? { takesForeignSources: true }
      : {}),
    ...(link.alias?.startsWith('eni-attach-') === true ? { attachment: link.alias } : {}),
  }
}

/** The spec of a NIC that the host should have. `mtu` in bytes. */
export function nicSpec(nic: NicWant, mtu: number, kind: LinkType): NicSpec {
  return {
    kind,
    hostLink: nicLinkName(nic.id),
    guestLink: guestLinkName(nic.id),
    mac: nic.mac,
    ip: nic.ip,
    ...(nic.secondary === undefined ? {} : { secondaryIps: nic.secondary.map(({ ip }) => ip) }),
    ...(nic.sourceDestCheck === false ? { isRouter: true } : {}),
    gateway: nic.gateway,
    mtu,
    network: nic.network,
    ...(nic.attachment === undefined ? {} : { attachment: nic.attachment }),
  }
}

/** The guest's addresses, the primary one first. */
export function guestAddresses({ ip, secondaryIps = [] }: NicSpec): readonly Ipv4[] {
  return [ip, ...secondaryIps]
}

/** Those that a route leads to. */
export function routedAddresses(spec: NicSpec): ReadonlySet<Ipv4> {
  return new Set(spec.isArriving === true ? [] : guestAddresses(spec))
}

/** Names of what differs between `state` and `spec`; empty when nothing does. */
export function nicDifferences(spec: NicSpec, state: NicState | undefined): readonly string[] {
  if (state === undefined) return ['link']
  const { isRouter = false } = spec
  const ips = new Set(guestAddresses(spec))
  const routed = routedAddresses(spec)
  const { routes, neighbours, takesForeignSources = false } = state
  const checks: readonly (readonly [string, boolean])[] = [
    ['mtu', state.mtu === spec.mtu],
    ['up', state.up],
    ['lock', state.locked],
    ['settings', state.wrongSettings.length === 0 && takesForeignSources === isRouter],
    [
      'neighbour',
      neighbours.length === ips.size &&
        neighbours.every(({ ip, mac }) => ips.has(ip) && mac === spec.mac),
    ],
    [
      'route',
      routes.length === routed.size &&
        routes.every(({ ip, gateway }) => routed.has(ip) && gateway === spec.gateway),
    ],
  ]
  return checks.filter(([, well]) => !well).map(([what]) => what)
}
