/**
 * What a host has ready for machines that move to it while they run (`local.arriving`), so that one
 * goes on as soon as the records give it to the host. Pure.
 *
 * Their rules are in force before. That opens nothing: a machine that stands still sends nothing,
 * no route leads to it, and the host that it is still on has the same groups. Floating IPs are
 * where the machine is, so they are not among these rules. What leaves the VPC would therefore go
 * out with a wrong address, and is dropped, until the next pass knows the machine as one of the
 * host's own. NICs that forward for others wait for that pass with everything.
 */
import { nicLinkName } from '../model/names.ts'
import { type HostWant, type InstanceWant, type NicWant, plugName } from '../model/want.ts'
import type { Networks } from './networks.ts'
import { chain, type NftObject, set } from './nft-tables.ts'
import { drop } from './nft-text.ts'

/** The want with what is ready among its instances; the same object when there is nothing. */
export function withStandby(want: HostWant): HostWant {
  const ready = standbyOf(want)
  if (ready.length === 0) return want
  return { ...want, local: { ...want.local, instances: [...want.local.instances, ...ready] } }
}

function standbyOf({ local: { arriving = [] } }: HostWant): readonly InstanceWant[] {
  return arriving.flatMap((instance) => {
    const nics = instance.nics.filter(({ sourceDestCheck }) => sourceDestCheck !== false)
    return nics.length === 0 ? [] : { ...instance, nics: nics.map(withoutFloatingIps) }
  })
}

function withoutFloatingIps({ publicIp: _, secondary, ...nic }: NicWant): NicWant {
  if (secondary === undefined) return nic
  return { ...nic, secondary: secondary.map(({ ip }) => ({ ip })) }
}

/** Chains and sets of the main table, and a line for packets that begin a connection. */
export interface StandbyRules {
  readonly objects: readonly NftObject[]
  readonly beginning: readonly string[]
}

/** The rules. None where nothing is ready. */
export function standbyRules(want: HostWant, vpcs: Networks): StandbyRules {
  const links = standbyOf(want).flatMap(({ nics }) => nics.map(({ id }) => `"${nicLinkName(id)}"`))
  if (links.length === 0) return { objects: [], beginning: [] }
  return {
    objects: [
      set('standby_links', ['type ifname'], links),
      chain('leave_standby', [
        ...vpcs.match('ip daddr').map((inside) => `${inside} return`),
        drop('route'),
      ]),
    ],
    beginning: ['iifname @standby_links jump leave_standby'],
  }
}

/** The NICs that the want has as arriving, as `plugName` names them. */
export function arrivingPlugs({ local: { arriving = [] } }: HostWant): ReadonlySet<string> {
  return new Set(arriving.flatMap(({ nics }) => nics.map(plugName)))
}
