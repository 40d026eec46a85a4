/**
 * Rules of the machine's own network namespace for the links to the namespaces of VPCs. Pure.
 *
 * What instances of a VPC may reach outside is decided here: in there the whole world is behind one
 * link. A VPC reaches neither another one nor the machine, except at the ports that are open to
 * instances.
 */
import { NIC_LINK_PREFIX, TRANSIT_LINK_PREFIX } from '../model/names.ts'
import type { Transit } from '../model/transit.ts'
import { FLOATING_IPS } from './floating.ts'
import type { Networks } from './networks.ts'
import { chain, type NftObject, set } from './nft-tables.ts'
import { ACCEPT, ACCEPT_VERIFIED, drop } from './nft-text.ts'

/** Matches every such link. */
export const ANY_TRANSIT = `"${TRANSIT_LINK_PREFIX}*"`
/** The path may have a smaller MTU than the guest's NIC, for example through a tunnel. */
export const FIT_SEGMENTS = 'tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu'

interface TransitRules {
  /** The source check, `from_transit`, with its set. */
  readonly arriving: readonly NftObject[]
  /** `leave_vpc` and `enter_vpc` for what is forwarded, and `host_from_transit`. */
  readonly chains: readonly NftObject[]
}

/** Those of a VPC's namespace. */
export const NO_TRANSIT: TransitRules = { arriving: [], chains: [] }

/**
 * `openPorts` matches the ports of hosts that are open to instances. A VPC reaches floating IPs, of
 * others as from outside.
 */
export function transitRules(
  transits: readonly Transit[],
  vpcs: Networks,
  openPorts: readonly string[],
  {
    hasFloatingIps,
    entering,
  }: {
    readonly hasFloatingIps: boolean
    /** Lines for what enters a subnet of the machine's own namespace. */
    readonly entering: readonly string[]
  },
): TransitRules {
  const sources = transits.flatMap(({ link, address, floatingIps = [], standIns = [] }) =>
    [address, ...floatingIps, ...standIns.map(({ as }) => as)].map(
      (source) => `"${link}" . ${source}`,
    ),
  )
  const toFloatingIp = hasFloatingIps ? [`ip daddr @${FLOATING_IPS} ${ACCEPT}`] : []
  return {
    arriving: [
      set('transits', ['type ifname . ipv4_addr'], sources),
      chain('from_transit', [
        `meta nfproto ipv6 ${drop('ipv6')}`,
        `ip daddr @services ${drop('service_outside')}`,
        `iifname . ip saddr @transits ${ACCEPT_VERIFIED}`,
        drop('spoofed'),
      ]),
    ],
    chains: [
      chain('leave_vpc', [
        FIT_SEGMENTS,
        `ct state established,related ${ACCEPT}`,
        `ct state invalid ${drop('invalid')}`,
        ...toFloatingIp.map((rule) => `oifname ${ANY_TRANSIT} ${rule}`),
        `oifname ${ANY_TRANSIT} ${drop('transit')}`,
        // To a floating IP of an instance in the machine's own namespace.
        ...entering.map((rule) => `oifname "${NIC_LINK_PREFIX}*" ct status dnat ${rule}`),
        `oifname "${NIC_LINK_PREFIX}*" ct status dnat goto check_ingress`,
        ...vpcs.match('ip daddr').map((ours) => `${ours} ${drop('transit')}`),
        'goto leave_host',
      ]),
      chain('enter_vpc', [
        FIT_SEGMENTS,
        `ct state established,related ${ACCEPT}`,
        ...toFloatingIp,
        drop('transit'),
      ]),
      chain('host_from_transit', [
        `ct state established,related ${ACCEPT}`,
        ...openPorts.map((ports) => `${ports} ${ACCEPT}`),
        drop('host'),
      ]),
    ],
  }
}
