/**
 * Whose each address is, from pass to pass: connections of an address end when another NIC gets it,
 * and go on when the same NIC has moved to or from another host while its instance runs.
 */
import type { Ipv4 } from '../../model/addr.ts'
import { addressesOf, type HostWant, plugName } from '../../model/want.ts'

/** The owners of addresses in one network namespace. */
export interface AddressOwners {
  /**
   * A function that tells whether an address belongs to the same NIC as in the last want that was
   * kept. False when that is not known.
   */
  compare(want: HostWant): (address: Ipv4) => boolean
  /** To be called when the want is in force. */
  keep(want: HostWant): void
}

/** Nothing is known at first. */
export function createAddressOwners(): AddressOwners {
  let kept: HostWant | null = null
  let owners: ReadonlyMap<Ipv4, string> = new Map()
  return {
    compare(want) {
      // Most passes change nothing, and then nobody asks.
      let now: ReadonlyMap<Ipv4, string> | null = null
      return (address) => {
        now ??= want === kept ? owners : ownersIn(want)
        const owner = owners.get(address)
        return owner !== undefined && owner === now.get(address)
      }
    },
    keep(want) {
      if (want === kept) return
      kept = want
      owners = ownersIn(want)
    },
  }
}

function ownersIn({ local, shared }: HostWant): ReadonlyMap<Ipv4, string> {
  const elsewhere = shared.routes.flatMap(({ ip, nic }) =>
    nic === undefined ? [] : [[ip, nic] as const],
  )
  const here = local.instances.flatMap(({ nics }) =>
    nics.flatMap((nic) => addressesOf(nic).map((ip) => [ip, plugName(nic)] as const)),
  )
  return new Map([...elsewhere, ...here])
}
