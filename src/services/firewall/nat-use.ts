/**
 * How many ports of its share each NIC uses, as metrics. It counts in the kernel's table of
 * connections, at each resync: with many connections that is work.
 */
import type { NamespaceHost } from '../../host/host.ts'
import type { Metrics } from '../../lib/metrics.ts'
import type { TrackedFlow } from '../../model/flow.ts'
import { addressesOf, floatingIpsOf, type HostWant } from '../../model/want.ts'
import { carriedAddresses } from '../../plan/carried-gateways.ts'
import { type PortUse, portUse } from '../../plan/nat-shares.ts'
import type { Pass } from '../service.ts'

/** A use of this part of a share is worth a warning. */
const NEARLY_FULL = 0.9

/** What the connections of a want's NICs use. */
interface NatUse {
  /** Counts a connection, while somebody goes through all of them. */
  count(flow: TrackedFlow): void
  /**
   * Sets the metrics. Goes through the connections at a resync, unless somebody has (`isCounted`).
   */
  report(pass: Pass, isCounted: boolean): Promise<void>
}

/** A function that is called in each pass, after the rules are in force. */
export function createNatUse(
  host: Pick<NamespaceHost, 'endFlows'>,
  metrics: Metrics,
): (want: HostWant) => NatUse {
  const labels = ['instance', 'nic'] as const
  const ports = metrics.gauge(
    'atoll_nat_ports',
    'Ports that the NIC of an instance has for connections to one destination outside',
    labels,
  )
  const used = metrics.gauge(
    'atoll_nat_ports_used',
    'Those of them in use, to the destination where most are',
    labels,
  )
  let warned: ReadonlySet<string> = new Set()
  const set = (shares: Shares, use: PortUse, { log }: Pass) => {
    used.reset()
    const full = new Set<string>()
    for (const { nic, instance, addresses, size } of shares) {
      const { ports: count, destination } = use.of(addresses)
      used.set({ instance, nic }, count)
      if (count < size * NEARLY_FULL) continue
      full.add(nic)
      if (!warned.has(nic))
        log.warn(
          { instance, nic, used: count, ports: size, destination },
          'an instance uses all its ports to one destination: it gets no more connections there',
        )
    }
    warned = full
  }
  return (want) => {
    const shares = sharesOf(want)
    const ofGateways = carriedAddresses(want.shared).values()
    const use = portUse(
      new Set([...shares.flatMap(({ floatingIps }) => floatingIps), ...ofGateways]),
    )
    return {
      count: use.count,
      async report(pass, isCounted) {
        ports.reset()
        for (const { nic, instance, size } of shares) ports.set({ instance, nic }, size)
        if (!isCounted && !pass.resync) return
        // It ends none.
        if (!isCounted && shares.length > 0) await host.endFlows(use.count)
        set(shares, use, pass)
      },
    }
  }
}

type Shares = ReturnType<typeof sharesOf>

function sharesOf({ local, natShares = [] }: HostWant) {
  const nics = new Map(
    local.instances.flatMap(({ id: instance, nics }) =>
      nics.map((nic) => [nic.id, { instance, nic }] as const),
    ),
  )
  return natShares.flatMap(({ nic: id, first, last }) => {
    const found = nics.get(id)
    if (found === undefined) return []
    const { instance, nic } = found
    const floatingIps = floatingIpsOf(nic).map(({ publicIp }) => publicIp)
    return [{ nic: id, instance, addresses: addressesOf(nic), floatingIps, size: last - first + 1 }]
  })
}
