/**
 * Plugs NICs into running containers, and checks that they are there.
 *
 * It remembers which starts of containers were plugged in. An unknown start (by somebody else, or
 * before this daemon) counts as not plugged; plugging again is harmless.
 *
 * A container's network namespace outlives the container: the kernel ends it later, and not at all
 * while somebody holds it open. Its kernel would go on answering pings and holding connections.
 */
import type { Host } from '../host/host.ts'
import { nicSpec } from '../host/network/nic.ts'
import type { InstanceId } from '../model/ids.ts'
import { nicLinkName } from '../model/names.ts'
import type { InstanceWant, NicWant } from '../model/want.ts'
import type { GuestNetwork } from './spec.ts'

/** One start of a container. Its network namespace exists as long. */
interface Life {
  readonly containerId: string
  readonly startedAt: string
  readonly pid: number
}

export interface Plug {
  /**
   * Plugs in all NICs, eth0 last and only once `limited` resolves: the entry script takes eth0 as
   * the sign that everything is there.
   */
  plugIn(
    want: InstanceWant,
    life: Life,
    network: GuestNetwork,
    limited: Promise<void>,
  ): Promise<void>
  /**
   * Whether all NICs of this start are plugged in. `fresh` asks the kernel. Otherwise the
   * remembered state counts.
   */
  isPlugged(instance: InstanceId, life: Life, fresh: boolean): Promise<boolean>
  /**
   * Removes the NICs that were plugged into this start, which has ended. The service of links makes
   * new ones, which are in no instance.
   */
  unplug(instance: InstanceId, life: Omit<Life, 'pid'>): Promise<void>
  forget(instance: InstanceId): void
}

interface Plugged {
  readonly life: Life
  readonly nics: readonly NicWant[]
  readonly network: GuestNetwork
}

/** Plugs NICs through the host port. `mtuBytes` is the MTU of the guest's NICs. */
export function createPlug(
  host: Pick<Host, 'plugNic' | 'isPlugged' | 'removeNic'>,
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
      if (done === undefined || !isSame(done.life, life)) return false
      if (!fresh) return true
      for (const nic of done.nics) {
        // An init may configure its NIC itself. Only the address of a plain guest is ours to keep.
        const setup = guestSetup(nic, done.network === 'plain' ? 'plain' : 'dhcp')
        if (!(await host.isPlugged(nicSpec(nic, options.mtuBytes, 'veth'), life.pid, setup)))
          return false
      }
      return true
    },
    async unplug(instance, life) {
      const done = plugged.get(instance)
      if (done === undefined || !isSame(done.life, life)) return
      // First, so that a failure costs one reading and not all that follow.
      plugged.delete(instance)
      for (const { id, network } of done.nics) await host.removeNic(nicLinkName(id), network)
    },
    forget: (instance) => void plugged.delete(instance),
  }
}

function isSame(one: Omit<Life, 'pid'>, other: Omit<Life, 'pid'>): boolean {
  return one.containerId === other.containerId && one.startedAt === other.startedAt
}

function guestSetup(nic: NicWant, network: GuestNetwork) {
  const { ip, subnetCidr, deviceIndex } = nic
  // With two default routes, replies could leave by a link that drops them because of their source
  // address.
  const gateway = deviceIndex === 0 ? nic.gateway : null
  const address = network === 'dhcp' ? null : { ip, prefix: subnetCidr.prefix, gateway }
  return { name: `eth${deviceIndex}`, address }
}
