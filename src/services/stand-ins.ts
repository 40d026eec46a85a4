/**
 * Routes to the addresses that stand for those of VPCs' instances where destinations see private
 * addresses (`plan/stand-ins.ts`).
 *
 * - Its part of want: `transits` of the machine's own namespace. The translation is the part of the
 *   firewall, here and in the namespaces of the VPCs, which both come first.
 * - A fresh daemon recognises its routes by protocol number and range.
 * - If we die on any line here, the next pass makes the rest. What has no route yet is not
 *   answered.
 */
import type { Host } from '../host/host.ts'
import { type Cidr, formatCidr, ipv4FromNumber, ipv4ToNumber } from '../model/addr.ts'
import type { Transit } from '../model/transit.ts'
import { NIC_STAND_INS_PREFIX } from '../plan/stand-ins.ts'
import type { HostService } from './service.ts'

/** To be applied after the links to the namespaces of VPCs were made. */
export function createStandIns({
  host,
}: {
  readonly host: Pick<Host, 'ensureStandInRoutes'>
}): HostService {
  /** Whether nothing is wanted, and what an older daemon left has been removed. */
  let isClear = false
  return {
    name: 'stand-ins',
    watchesKernel: 'machine',
    gate: false,
    apply: async ({ want, log, resync }) => {
      const routes = (want.transits ?? []).flatMap(routesOf)
      if (isClear && routes.length === 0 && !resync) return []
      const changed = await host.ensureStandInRoutes(routes)
      isClear = routes.length === 0
      if (changed.length > 0) log.info({ changed }, 'routes to private addresses of VPCs changed')
      return []
    },
    close: async () => {},
  }
}

/** One for each NIC. */
function routesOf({ link, address: via, standIns = [] }: Transit) {
  const nets = new Map<string, Cidr>()
  for (const { as } of standIns) {
    const number = ipv4ToNumber(as)
    const size = 2 ** (32 - NIC_STAND_INS_PREFIX)
    const net = { network: ipv4FromNumber(number - (number % size)), prefix: NIC_STAND_INS_PREFIX }
    nets.set(formatCidr(net), net)
  }
  return [...nets.values()].map((net) => ({ net, link, via }))
}
