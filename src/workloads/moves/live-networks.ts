/**
 * The networks of instances that move while they run: their connections are read on the old host
 * when the instance stands still, and made on the new one, which leads packets to it as soon as it
 * is its own.
 */
import type { NamespaceHost } from '../../host/host.ts'
import type { Log } from '../../lib/log.ts'
import type { Ipv4 } from '../../model/addr.ts'
import { type CarriedFlow, MOST_FLOWS } from '../../model/carried-flow.ts'
import { unavailable } from '../../model/errors.ts'
import { addressesOf, type HostWant, type InstanceWant, type NicWant } from '../../model/want.ts'
import { carriedByNetwork } from '../../plan/carried-flows.ts'

/** What it acts on in a network namespace. */
export interface LiveNetwork {
  readonly host: Pick<NamespaceHost, 'carriedFlows' | 'carryOn' | 'forgetFlows'>
  /** As of `Firewall`. */
  judge(addresses: readonly Ipv4[]): Promise<void>
  /** As of `Links`. */
  lead(instance: Pick<InstanceWant, 'driver' | 'nics'>): Promise<void>
}

/** That of a VPC with this number, or the machine's own; undefined: it is not here. */
export type LiveNetworkOf = (network: number | undefined) => LiveNetwork | undefined

/** Those of a host. */
export interface LiveNetworks {
  /** The connections of an instance that can go on elsewhere. Never rejects. */
  read(instance: InstanceWant): Promise<readonly CarriedFlow[]>
  /**
   * Makes those that may be of the instance. Those that the rules here do not permit are ended
   * before it resolves. `shared` has its VPC. Never rejects: the instance moves whether that works
   * or not.
   */
  make(
    instance: InstanceWant,
    shared: HostWant['shared'],
    flows: readonly CarriedFlow[],
  ): Promise<void>
  /** Leads packets to the instance. Errors: `unavailable`. */
  lead(instance: InstanceWant): Promise<void>
}

/** Those that `networkOf` knows. */
export function createLiveNetworks(networkOf: LiveNetworkOf, log: Log): LiveNetworks {
  function find(network: number | undefined): LiveNetwork {
    const found = networkOf(network)
    if (found === undefined)
      throw unavailable(`VPC number ${network} has no network namespace here`)
    return found
  }

  async function makeIn(
    { host, judge }: LiveNetwork,
    nics: readonly NicWant[],
    flows: readonly CarriedFlow[],
  ): Promise<void> {
    const addresses = nics.flatMap(addressesOf)
    try {
      await host.carryOn(flows)
    } finally {
      // Also of those that were made before others failed. What nobody has judged must not stay.
      await judge(addresses).catch(async (error: unknown) => {
        for (const address of addresses) await host.forgetFlows({ address })
        throw error
      })
    }
  }

  return {
    async read({ id, nics }) {
      try {
        const found: CarriedFlow[] = []
        for (const nic of nics)
          for (const address of addressesOf(nic))
            found.push(...(await find(nic.network).host.carriedFlows(address)))
        return found.toSorted((a, b) => b.seconds - a.seconds).slice(0, MOST_FLOWS)
      } catch (error) {
        log.warn({ instance: id, error }, 'its connections end with its move: they cannot be read')
        return []
      }
    },
    async make({ id, nics }, shared, flows) {
      try {
        const nicsOf = Map.groupBy(nics, ({ network }) => network)
        for (const [network, some] of carriedByNetwork(nics, shared, flows))
          if (some.length > 0) await makeIn(find(network), nicsOf.get(network) ?? [], some)
      } catch (error) {
        log.warn({ instance: id, error }, 'connections end with its move: they cannot be made here')
      }
    },
    async lead(instance) {
      for (const [network, nics] of Map.groupBy(instance.nics, (nic) => nic.network))
        await find(network).lead({ ...instance, nics })
    },
  }
}
