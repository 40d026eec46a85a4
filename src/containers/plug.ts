/**
 * Plugs NICs into running containers, and checks that they are there.
 *
 * It remembers which starts of containers were plugged in, and what they got. An unknown start (by
 * somebody else, or before this daemon) counts as not plugged; plugging again is harmless.
 *
 * A container's network namespace outlives the container: the kernel ends it later, and not at all
 * while somebody holds it open. Its kernel would go on answering pings and holding connections.
 */
import type { GuestSetup } from '../host/guest-setup.ts'
import type { Host } from '../host/host.ts'
import { nicSpec } from '../host/network/nic.ts'
import type { InstanceId } from '../model/ids.ts'
import { nicLinkName } from '../model/names.ts'
import { addressesOf, type InstanceWant, type NicWant, plugName } from '../model/want.ts'
import type { PluggedNic } from '../plan/workloads.ts'
import type { GuestNetwork } from './spec.ts'

/** Number of the routing table of eth0, which does not use it; that of eth1 follows, and so on. */
const FIRST_TABLE = 100

/** One start of a container. Its network namespace exists as long. */
interface Life {
  readonly containerId: string
  readonly startedAt: string
  readonly pid: number
}

export interface Plug {
  /**
   * Plugs in all NICs, eth0 last and only once `limited` resolves: the entry script takes eth0 as
   * the sign that everything is there. Of a start that has some already, only what is new or
   * another is plugged in. A NIC that is no longer wanted went with its link. `isStart`: the
   * container has just been started.
   */
  plugIn(
    want: InstanceWant,
    life: Life,
    guest: {
      readonly network: GuestNetwork
      readonly isStart: boolean
      readonly limited: Promise<void>
    },
  ): Promise<void>
  /**
   * Plugs in what a start that is plugged in has lost of these NICs. Returns what was repaired. It
   * asks the kernel only.
   */
  replug(instance: InstanceId, nics: readonly NicWant[]): Promise<readonly string[]>
  /**
   * The NICs of this start, if all are plugged in; null: they are not. `fresh` asks the kernel.
   * Otherwise the remembered state counts.
   */
  pluggedNics(
    instance: InstanceId,
    life: Life,
    fresh: boolean,
  ): Promise<readonly PluggedNic[] | null>
  /**
   * Removes the NICs that were plugged into this start, which has ended. The service of links makes
   * new ones, which are in no instance.
   */
  unplug(instance: InstanceId, life: Omit<Life, 'pid'>): Promise<void>
  /** The last start that was plugged in; null: none is known. It may have ended. */
  lastLife(instance: InstanceId): Life | null
  forget(instance: InstanceId): void
}

interface Plugged {
  readonly life: Life
  readonly nics: readonly NicWant[]
  readonly network: GuestNetwork
  /** The network namespace that they were plugged into, by inode. Null without NICs. */
  readonly namespace: number | null
  /** Whether some of `nics` are not there any more. */
  readonly hasLost: boolean
}

/** Plugs NICs through the host port. `mtuBytes` is the MTU of the guest's NICs. */
export function createPlug(
  host: Pick<Host, 'plugNic' | 'replugNic' | 'isPlugged' | 'removeNic'>,
  options: { readonly mtuBytes: number },
): Plug {
  const plugged = new Map<InstanceId, Plugged>()
  const specOf = (nic: NicWant) => nicSpec(nic, options.mtuBytes, 'veth')
  const find = (instance: InstanceId, life: Omit<Life, 'pid'>): Plugged | null => {
    const done = plugged.get(instance)
    return done !== undefined && isSame(done.life, life) ? done : null
  }
  const lose = (instance: InstanceId, done: Plugged) => {
    if (plugged.get(instance) === done) plugged.set(instance, { ...done, hasLost: true })
  }
  return {
    async plugIn(want, life, { network, isStart, limited }) {
      const done = find(want.id, life)
      const known = done === null || done.hasLost ? [] : done.nics.map((nic) => keyOf(nic, network))
      if (done !== null) {
        const wanted = want.nics.map((nic) => keyOf(nic, network))
        const still = done.nics.filter((nic) => wanted.includes(keyOf(nic, network)))
        plugged.set(want.id, { ...done, nics: still })
      }
      const unknown = isStart ? firstSetup : unknownSetup
      const setup = done === null ? unknown : done.hasLost ? keptSetup : firstSetup
      let namespace = done?.namespace ?? null
      for (const nic of want.nics.toReversed())
        if (!known.includes(keyOf(nic, network)))
          namespace = await host.plugNic(specOf(nic), life.pid, setup(nic, network), limited)
      plugged.set(want.id, { life, nics: want.nics, network, namespace, hasLost: false })
    },
    async replug(instance, nics) {
      const done = plugged.get(instance)
      if (done === undefined || done.namespace === null) return []
      const guest = { pid: done.life.pid, namespace: done.namespace }
      const repaired: string[] = []
      for (const nic of nics) {
        if (!done.nics.some(({ id }) => id === nic.id)) continue
        try {
          const found = await host.replugNic(specOf(nic), guest, keptSetup(nic, done.network))
          // Its process has ended, which the engine will tell.
          if (found === null) return []
          repaired.push(...found.map((what) => `eth${nic.deviceIndex}: ${what}`))
        } catch (error) {
          lose(instance, done)
          throw error
        }
      }
      return repaired
    },
    async pluggedNics(instance, life, fresh) {
      const done = find(instance, life)
      if (done === null || done.hasLost) return null
      const { nics, network } = done
      if (fresh)
        for (const nic of nics)
          if (!(await host.isPlugged(specOf(nic), life.pid, keptSetup(nic, network)))) {
            lose(instance, done)
            return null
          }
      return nics.map((nic) => pluggedNic(nic, network))
    },
    async unplug(instance, life) {
      const done = find(instance, life)
      if (done === null) return
      // First, so that a failure costs one reading and not all that follow.
      plugged.delete(instance)
      for (const { id, network } of done.nics) await host.removeNic(nicLinkName(id), network)
    },
    lastLife: (instance) => plugged.get(instance)?.life ?? null,
    forget: (instance) => void plugged.delete(instance),
  }
}

function isSame(one: Omit<Life, 'pid'>, other: Omit<Life, 'pid'>): boolean {
  return one.containerId === other.containerId && one.startedAt === other.startedAt
}

function pluggedNic(nic: NicWant, network: GuestNetwork): PluggedNic {
  const name = plugName(nic)
  return network === 'plain' ? { name, ips: addressesOf(nic) } : { name }
}

/** Equal for a NIC that is plugged in as wanted. */
function keyOf(nic: NicWant, network: GuestNetwork): string {
  const { name, ips = [] } = pluggedNic(nic, network)
  return [name, ...ips].join(' ')
}

/** Of a NIC that is plugged in for the first time. A guest that uses DHCP asks for its address. */
function firstSetup(nic: NicWant, network: GuestNetwork): GuestSetup {
  const setup = plainSetup(nic)
  return network === 'dhcp' ? { ...setup, address: null } : setup
}

/**
 * Of a NIC of a guest that has run for a while, or still waits for it: an init's entry script waits
 * for the route.
 */
function unknownSetup(nic: NicWant, network: GuestNetwork): GuestSetup {
  return network === 'init' ? plainSetup(nic) : keptSetup(nic, network)
}

/**
 * Of a NIC of a guest that may have lost it. A plain guest's address is the host's to keep; others
 * set it themselves, unless they lost their NIC while they ran.
 */
function keptSetup(nic: NicWant, network: GuestNetwork): GuestSetup {
  const setup = plainSetup(nic)
  return network === 'plain' ? setup : { ...setup, unlessUp: true }
}

function plainSetup(nic: NicWant): GuestSetup {
  const { ip, subnetCidr, deviceIndex } = nic
  const isFirst = deviceIndex === 0
  const [, ...secondaryIps] = addressesOf(nic)
  const address = {
    ...{ ip, prefix: subnetCidr.prefix, secondaryIps },
    // With two default routes, replies could leave by a link that drops them because of their
    // source address.
    gateway: isFirst ? nic.gateway : null,
    own: isFirst ? null : { table: FIRST_TABLE + deviceIndex, gateway: nic.gateway },
  }
  return { name: `eth${deviceIndex}`, address }
}
