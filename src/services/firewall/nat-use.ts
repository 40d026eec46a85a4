/**
 * How many ports of its share each NIC uses, as metrics. It counts in the kernel's table of
 * connections, at each resync: with many connections that is work.
 */
import type { NamespaceHost } from '../../host/host.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { addressesOf, floatingIpsOf, type HostWant } from '../../model/want.ts'
import { portUse } from '../../plan/nat-shares.ts'
import type { Pass } from '../service.ts'

/** A use of this part of a share is worth a warning. */
const NEARLY_FULL = 0.9

/** A function that is called in each pass, after the rules are in force. */
export function createNatUse(
  host: Pick<NamespaceHost, 'endFlows'>,
  metrics: Metrics,
): (pass: Pass) => Promise<void> {
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
  return async ({ want, resync, log }) => {
    ports.reset()
    const shares = sharesOf(want)
    for (const { nic, instance, size } of shares) ports.set({ instance, nic }, size)
    if (!resync) return
    const use = portUse(new Set(shares.flatMap(({ floatingIps }) => floatingIps)))
    // It ends none.
    if (shares.length > 0) await host.endFlows(use.count)
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
}

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
