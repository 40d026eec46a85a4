/**
 * Floating IPs on this host: that the network sends here what is for them.
 *
 * - Its part of want: `publicIp` of every NIC of `local.instances`. The translation is the
 *   firewall's part (`plan/floating.ts`), which comes first.
 * - A fresh daemon recognises its routes and proxy entries by protocol number, and connections of a
 *   binding that has ended by their translation.
 * - If we die on any line here, the next pass makes the rest. What is there already is not touched.
 */
import type { Host } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Ipv4 } from '../model/addr.ts'
import { GATEWAY_LINK } from '../model/names.ts'
import type { HostWant } from '../model/want.ts'
import { isOfOldBinding, servedFloatingIps } from '../plan/floating.ts'
import type { HostService } from './service.ts'

/** An announcement may be lost, or be followed by an answer of the host that had the address. */
const ANNOUNCE_AGAIN_MS = [100, 400, 1000]

/** What this service needs of the host. */
type FloatingIpHost = Pick<
  Host,
  'surroundings' | 'ensureFloatingIps' | 'announceFloatingIps' | 'forgetFlows' | 'endFlows'
>

/** Floating IPs on `host`. */
export function createFloatingIps(options: {
  readonly host: FloatingIpHost
  readonly clock: Pick<Clock, 'after'>
}): HostService {
  const { host, clock } = options
  /** Null: what an older daemon left is not known. */
  let bound: ReadonlyMap<Ipv4, Ipv4> | null = null
  const announcements = createAnnouncements(host, clock, () => bound ?? new Map())
  const warnOfTaken = createTakenWarning()
  return {
    name: 'floating-ips',
    watchesKernel: true,
    gate: false,
    apply: async ({ want, log, signal, resync }) => {
      const before = bound
      const now = servedFloatingIps(want, await host.surroundings())
      warnOfTaken(want, now, log)
      const { came, went } = await host.ensureFloatingIps(GATEWAY_LINK, [...now.keys()])
      const rebound = [...(before ?? [])].flatMap(([address, ip]) =>
        now.get(address) === ip ? [] : address,
      )
      // What it had with its last owner, or elsewhere, ends. Only then the new binding counts.
      for (const address of new Set([...came, ...went, ...rebound]))
        await host.forgetFlows({ address })
      if (before === null && now.size > 0) await host.endFlows((flow) => isOfOldBinding(flow, now))
      bound = now
      if (came.length > 0 || went.length > 0) log.info({ came, went }, 'floating IPs changed')
      // Another host may still answer for one that it had, if its daemon was away meanwhile.
      announcements.repeat(resync ? [...now.keys()] : came, log, signal)
      return []
    },
    close: async () => announcements.close(),
  }
}

/** Announcements that are yet to be made. */
function createAnnouncements(
  host: Pick<Host, 'announceFloatingIps'>,
  clock: Pick<Clock, 'after'>,
  bound: () => ReadonlyMap<Ipv4, Ipv4>,
) {
  const waiting = new Set<() => void>()
  const announce = async (addresses: readonly Ipv4[], log: Log, signal: AbortSignal) => {
    const still = addresses.filter((address) => bound().has(address))
    if (signal.aborted || still.length === 0) return
    try {
      await host.announceFloatingIps(still)
    } catch (error) {
      log.warn({ error }, 'floating IPs could not be announced again')
    }
  }
  return {
    repeat(addresses: readonly Ipv4[], log: Log, signal: AbortSignal): void {
      if (addresses.length === 0) return
      for (const ms of ANNOUNCE_AGAIN_MS) {
        const cancel = clock.after(ms, () => {
          waiting.delete(cancel)
          void announce(addresses, log, signal)
        })
        waiting.add(cancel)
      }
    },
    close(): void {
      for (const cancel of waiting) cancel()
      waiting.clear()
    },
  }
}

/** Warns once of each floating IP that something else has. */
function createTakenWarning() {
  let warned: ReadonlySet<Ipv4> = new Set()
  return ({ local }: HostWant, served: ReadonlyMap<Ipv4, Ipv4>, log: Log): void => {
    const nics = local.instances.flatMap((instance) => instance.nics)
    const taken = nics.flatMap(({ publicIp }) => publicIp ?? []).filter((ip) => !served.has(ip))
    for (const address of taken)
      if (!warned.has(address))
        log.error(
          { address, fix: 'take the address out of network.pools, and associate another' },
          'a floating IP leads nowhere: this host, its router or another host has the address',
        )
    warned = new Set(taken)
  }
}
