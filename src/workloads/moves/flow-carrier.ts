/**
 * Connections of instances that move while they run: read on the old host when the instance stands
 * still, and made on the new one before it goes on. The instance moves whether that works or not.
 */
import type { NamespaceHost } from '../../host/host.ts'
import type { Log } from '../../lib/log.ts'
import { type CarriedFlow, MOST_FLOWS } from '../../model/carried-flow.ts'
import { unavailable } from '../../model/errors.ts'
import { addressesOf, type HostWant, type InstanceWant } from '../../model/want.ts'
import { carriedByNetwork } from '../../plan/carried-flows.ts'

/** What it acts on in a network namespace. */
type FlowHost = Pick<NamespaceHost, 'carriedFlows' | 'carryOn'>

/** The port of a VPC with this number, or the machine's own; undefined: it is not here. */
export type FlowHosts = (network: number | undefined) => FlowHost | undefined

/** Neither function rejects. */
export interface FlowCarrier {
  /** Those of an instance. */
  read(instance: InstanceWant): Promise<readonly CarriedFlow[]>
  /** Makes those that may be of the instance. `shared` has its VPC. */
  make(
    instance: InstanceWant,
    shared: HostWant['shared'],
    flows: readonly CarriedFlow[],
  ): Promise<void>
}

/** The carrier. */
export function createFlowCarrier(hostOf: FlowHosts, log: Log): FlowCarrier {
  function hostFor(network: number | undefined): FlowHost {
    const host = hostOf(network)
    if (host === undefined) throw unavailable(`VPC number ${network} has no network namespace here`)
    return host
  }
  return {
    async read({ id, nics }) {
      try {
        const found: CarriedFlow[] = []
        for (const nic of nics)
          for (const address of addressesOf(nic))
            found.push(...(await hostFor(nic.network).carriedFlows(address)))
        return found.toSorted((a, b) => b.seconds - a.seconds).slice(0, MOST_FLOWS)
      } catch (error) {
        log.warn({ instance: id, error }, 'its connections end with its move: they cannot be read')
        return []
      }
    },
    async make({ id, nics }, shared, flows) {
      try {
        for (const [network, some] of carriedByNetwork(nics, shared, flows))
          if (some.length > 0) await hostFor(network).carryOn(some)
      } catch (error) {
        log.warn({ instance: id, error }, 'connections end with its move: they cannot be made here')
      }
    },
  }
}
