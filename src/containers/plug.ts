/**
 * The NICs of a running container: put in, and checked to be there.
 *
 * Remembers which start of which container was plugged in. A start that it does not remember (by
 * someone else, or before this daemon) is reported as not plugged, and plugging repeats harmlessly.
 */
import type { Host } from '../host/host.ts'
import { nicSpec } from '../host/network/nic.ts'
import type { InstanceId } from '../model/ids.ts'
import type { InstanceWant, NicWant } from '../model/want.ts'
import type { GuestNetwork } from './spec.ts'

/** One start of one container: its network namespace lives as long. */
interface Life {
  readonly containerId: string
  readonly startedAt: string
  readonly pid: number
}

export interface Plug {
  /**
   * Puts all NICs in, eth0 last and once `limited`: the entry script takes it for the sign that all
   * is there.
   */
  plugIn(
    want: InstanceWant,
    life: Life,
    network: GuestNetwork,
    limited: Promise<void>,
  ): Promise<void>
  /**
   * Whether all NICs of this start are in. `fresh` asks the kernel; otherwise what was done is
   * believed.
   */
  isPlugged(instance: InstanceId, life: Life, fresh: boolean): Promise<boolean>
  forget(instance: InstanceId): void
}

interface Plugged {
  readonly life: Life
  readonly nics: readonly NicWant[]
  readonly network: GuestNetwork
}

/** Plugs through the host port. `mtuBytes` is that of the guest's NICs. */
export function createPlug(
  host: Pick<Host, 'plugNic' | 'isPlugged'>,
  options: { readonly mtuBytes: number },
): Plug {
  const plugged = new Map<InstanceId, Plugged>()
  return {
    async plugIn(want, life, network, limited) {
      for (const nic of want.nics.toReversed())
        await host.plugNic(
          nicSpec(nic, options.mtuBytes, 'veth'),
          life.pid,
          guestSetup(nic, network),
          limited,
        )
      plugged.set(want.id, { life, nics: want.nics, network })
    },
    async isPlugged(instance, life, fresh) {
      const done = plugged.get(instance)
      if (done?.life.containerId !== life.containerId || done.life.startedAt !== life.startedAt)
        return false
      if (!fresh) return true
      for (const nic of done.nics) {
        // An init may set its NIC up anew as it likes: only a plain guest's address is ours to
        // keep.
        const setup = guestSetup(nic, done.network === 'plain' ? 'plain' : 'dhcp')
        if (!(await host.isPlugged(nicSpec(nic, options.mtuBytes, 'veth'), life.pid, setup)))
          return false
      }
      return true
    },
    forget: (instance) => void plugged.delete(instance),
  }
}

function guestSetup(nic: NicWant, network: GuestNetwork) {
  const { ip, subnetCidr, deviceIndex } = nic
  // Two default routes would send answers out through a link that drops them as another's.
  const gateway = deviceIndex === 0 ? nic.gateway : null
  const address = network === 'dhcp' ? null : { ip, prefix: subnetCidr.prefix, gateway }
  return { name: `eth${deviceIndex}`, address }
}
